//! Text out of documents, as the content context wants it: apart from the threads that everybody waits on, and only so
//! many documents at once.

use std::{path::PathBuf, sync::Arc, time::Duration};

use archesai_content::{
    self as content,
    ports::{ExtractedText, ExtractionError, Passage, TextExtractor},
};
use tokio::time::sleep;

use crate::{
    apart,
    extract::{self, ExtractError, Extracted, Limits},
    slots::{Broken, Slots},
    split,
};

/// The length of a passage in characters: what a small embedding model reads of a text, about 256 tokens.
const PASSAGE: usize = 800;

/// How much of a passage comes again in the next one, so that what is said across the border is found too.
const OVERLAP: usize = 100;

/// How long to wait for a thread where the machine has none.
const BUSY: Duration = Duration::from_secs(1);

/// How often to ask for one.
const ATTEMPTS: u32 = 5;

/// Reads documents. Clones share the room for it.
#[derive(Clone, Debug)]
pub struct Extractor {
    slots: Slots,
    limits: Arc<Limits>,
    program: Option<Arc<PathBuf>>,
}

impl Extractor {
    /// An extractor under limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            slots: Slots::default(),
            limits: Arc::new(limits),
            program: None,
        }
    }

    /// Has each document whose reader could take any amount of memory read by a process of a program, which does what
    /// [`apart::serve`] does when it is told [`apart::COMMAND`].
    #[must_use]
    pub fn apart(mut self, program: PathBuf) -> Self {
        self.program = Some(Arc::new(program));
        self
    }

    /// How many bytes a document may have.
    pub fn max_bytes(&self) -> u64 {
        self.limits.input_bytes as u64
    }

    /// Reads a document; see [`extract::extract`].
    ///
    /// # Errors
    ///
    /// Those of [`extract::extract`], but [`ExtractError::Busy`] only after a while.
    pub async fn read(
        &self,
        bytes: Vec<u8>,
        media_type: &str,
        name: &str,
    ) -> Result<Extracted, ExtractError> {
        let bytes = Arc::new(bytes);
        for _ in 1..ATTEMPTS {
            match self.attempt(&bytes, media_type, name).await {
                Err(ExtractError::Busy) => sleep(BUSY).await,
                read => return read,
            }
        }
        self.attempt(&bytes, media_type, name).await
    }

    async fn attempt(
        &self,
        bytes: &Arc<Vec<u8>>,
        media_type: &str,
        name: &str,
    ) -> Result<Extracted, ExtractError> {
        let (bytes, limits) = (Arc::clone(bytes), Arc::clone(&self.limits));
        let (media_type, name) = (media_type.to_owned(), name.to_owned());
        let program = self.program.clone();
        let read = move || match program {
            Some(program) if extract::is_pdf(&bytes, &media_type, &name) => {
                apart::read(&program, &bytes, &media_type, &name, &limits)
            }
            _ => extract::extract(&bytes, &media_type, &name, &limits),
        };
        self.slots
            .run(read)
            .await
            .unwrap_or(Err(ExtractError::Busy))
    }
}

impl Default for Extractor {
    /// An extractor of documents of up to 32 MiB.
    fn default() -> Self {
        Self::new(Limits {
            input_bytes: 32 << 20,
            ..Limits::default()
        })
    }
}

impl TextExtractor for Extractor {
    async fn extract(
        &self,
        bytes: Vec<u8>,
        media_type: &str,
        name: &str,
    ) -> Result<ExtractedText, ExtractionError> {
        match self.read(bytes, media_type, name).await {
            Ok(extracted) => Ok(ExtractedText {
                text: extracted.text,
            }),
            Err(ExtractError::Unsupported { .. }) => Err(ExtractionError::Unsupported),
            Err(ExtractError::Busy) => Err(ExtractionError::Busy),
            Err(error) => Err(ExtractionError::Damaged(error.to_string())),
        }
    }

    async fn split(&self, text: &str) -> content::Result<Vec<Passage>> {
        let text = text.to_owned();
        let split = move || passages(&text);
        let done: Result<_, Broken> = self.slots.run(split).await;
        done.map_err(content::Error::unavailable)?
            .map_err(content::Error::unavailable)
    }

    fn media_type(&self, name: &str, first_bytes: &[u8]) -> String {
        extract::media_type_of(name, first_bytes)
    }
}

/// Splits a text, and counts in bytes where the passages are.
fn passages(text: &str) -> Result<Vec<Passage>, split::SplitError> {
    let mut characters = text.char_indices();
    // Passages begin one after the other, so one walk through the text finds them all.
    let mut at = (0, 0);
    let chunks = split::split(text, PASSAGE, OVERLAP)?.into_iter();
    let passage = |chunk: split::Chunk| {
        let (counted, byte) = at;
        let start = match chunk.start - counted {
            0 => byte,
            more => characters
                .nth(more - 1)
                .map_or(text.len(), |(byte, last)| byte + last.len_utf8()),
        };
        at = (chunk.start, start);
        Passage {
            start: start as u64,
            end: (start + chunk.text.len()) as u64,
            text: chunk.text,
        }
    };
    Ok(chunks.map(passage).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples;

    fn piece<'a>(text: &'a str, passage: &Passage) -> &'a str {
        let place = |byte: u64| usize::try_from(byte).unwrap();
        &text[place(passage.start)..place(passage.end)]
    }

    #[tokio::test]
    async fn a_pdf_becomes_overlapping_passages_that_lie_where_they_say() {
        let extractor = Extractor::default();
        let bytes = samples::bytes("fhs-3.0.pdf");
        let found = extractor
            .extract(bytes, "application/pdf", "fhs-3.0.pdf")
            .await;
        let text = found.unwrap().text;
        let passages = extractor.split(&text).await.unwrap();
        assert!(passages.len() > 50, "{}", passages.len());
        assert!(
            passages
                .iter()
                .all(|passage| piece(&text, passage) == passage.text)
        );
        assert!(passages.windows(2).any(|pair| pair[1].start < pair[0].end));
    }

    #[tokio::test]
    async fn what_is_no_document_says_so() {
        let extractor = Extractor::default();
        let image = extractor
            .extract(vec![0x89, b'P'], "image/png", "a.png")
            .await;
        assert_eq!(image, Err(ExtractionError::Unsupported));
        let broken = extractor
            .extract(b"%PDF-1.7 nothing".to_vec(), "application/pdf", "a.pdf")
            .await;
        assert!(
            matches!(broken, Err(ExtractionError::Damaged(_))),
            "{broken:?}"
        );
        assert_eq!(extractor.media_type("a.csv", b"a,b\n"), "text/csv");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn places_are_right_in_any_script(text in "([a-z]{1,9} |[äßé語🎉]{1,40} |\\. |\n\n){0,600}") {
            for passage in passages(&text).unwrap() {
                prop_assert_eq!(piece(&text, &passage), passage.text.as_str());
            }
        }
    }
}
