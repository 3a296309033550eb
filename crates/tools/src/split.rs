//! `text.split`: cuts a text into passages that a model or an index can take.

use serde::Serialize;
use text_splitter::{ChunkConfig, TextSplitter};
use thiserror::Error;

/// Fewest characters that a passage may be allowed.
pub const MIN_CHARS: usize = 50;

/// Most characters that a passage may be allowed.
pub const MAX_CHARS: usize = 20_000;

/// A passage of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chunk {
    /// Its place among the passages, from 0.
    pub index: usize,
    /// Its text: a piece of the whole, without white space at its ends.
    pub text: String,
    /// Where it begins in the whole, in characters (Unicode scalar values).
    pub start: usize,
    /// Where it ends in the whole, in characters; the character there is no part of it.
    pub end: usize,
}

/// Why a text was not split.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SplitError {
    /// The length is out of bounds.
    #[error("max_chars must be between {MIN_CHARS} and {MAX_CHARS}")]
    MaxChars,
    /// The overlap leaves no room for progress.
    #[error("overlap must be at most half of max_chars")]
    Overlap,
}

/// Cuts `text` into passages of at most `max_chars` characters, at the largest boundary that fits: paragraphs before lines,
/// lines before sentences, sentences before words. Passages that follow each other share up to `overlap` characters, again
/// cut at a boundary.
///
/// # Errors
/// [`SplitError::MaxChars`] when `max_chars` is not within [`MIN_CHARS`] and [`MAX_CHARS`], [`SplitError::Overlap`] when
/// `overlap` is more than half of it.
pub fn split(text: &str, max_chars: usize, overlap: usize) -> Result<Vec<Chunk>, SplitError> {
    if !(MIN_CHARS..=MAX_CHARS).contains(&max_chars) {
        return Err(SplitError::MaxChars);
    }
    if overlap > max_chars / 2 {
        return Err(SplitError::Overlap);
    }
    let config = ChunkConfig::new(max_chars)
        .with_trim(true)
        .with_overlap(overlap)
        .map_err(|_| SplitError::Overlap)?;
    let chunks = TextSplitter::new(config)
        .chunk_char_indices(text)
        .filter(|found| !found.chunk.trim().is_empty())
        .enumerate()
        .map(|(index, found)| Chunk {
            index,
            text: found.chunk.to_owned(),
            start: found.char_offset,
            end: found.char_offset + found.chunk.chars().count(),
        })
        .collect();
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    #[test]
    fn real_text_is_cut_between_words() {
        let text = samples::text("social-contract.txt");
        let chunks = split(&text, 800, 0).unwrap();
        assert!(chunks.len() > 8, "{}", chunks.len());
        assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= 800));
        let characters: Vec<char> = text.chars().collect();
        assert!(
            chunks
                .iter()
                .skip(1)
                .all(|chunk| characters[chunk.start - 1].is_whitespace())
        );
    }

    #[test]
    fn overlap_repeats_the_end_of_the_passage_before() {
        let text = "One sentence here. Another sentence there. A third one follows. And a fourth one ends it.";
        let chunks = split(text, 50, 25).unwrap();
        assert!(
            chunks.windows(2).any(|pair| pair[1].start < pair[0].end),
            "{chunks:?}"
        );
    }

    #[test]
    fn bounds_are_checked() {
        assert_eq!(split("x", 49, 0), Err(SplitError::MaxChars));
        assert_eq!(split("x", 20_001, 0), Err(SplitError::MaxChars));
        assert_eq!(split("x", 100, 51), Err(SplitError::Overlap));
        assert_eq!(split("", 100, 0), Ok(Vec::new()));
        assert_eq!(split(" \n\n \t", 100, 0), Ok(Vec::new()));
    }

    #[test]
    fn one_endless_word_is_cut_too() {
        let chunks = split(&"x".repeat(100_000), 20_000, 0).unwrap();
        assert_eq!(chunks.len(), 5);
    }

    proptest! {
        #[test]
        fn passages_are_pieces_of_the_text_and_lose_only_white_space(
            text in "(\\PC|\n|\t| |\\. |[a-z]{1,9} ){0,400}", max in MIN_CHARS..300, part in 0_usize..=100
        ) {
            let characters: Vec<char> = text.chars().collect();
            let overlap = max / 2 * part / 100;
            let chunks = split(&text, max, overlap).unwrap();
            let mut covered = vec![false; characters.len()];
            for (index, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.index, index);
                prop_assert!(chunk.end - chunk.start <= max);
                let piece: String = characters[chunk.start..chunk.end].iter().collect();
                prop_assert_eq!(&piece, &chunk.text);
                prop_assert_eq!(chunk.text.trim(), chunk.text.as_str());
                prop_assert!(!chunk.text.is_empty());
                covered[chunk.start..chunk.end].fill(true);
            }
            for pair in chunks.windows(2) {
                prop_assert!(pair[0].start <= pair[1].start);
                prop_assert!(pair[0].end.saturating_sub(pair[1].start) <= overlap);
            }
            for (character, covered) in characters.iter().zip(covered) {
                prop_assert!(covered || character.is_whitespace());
            }
        }
    }
}
