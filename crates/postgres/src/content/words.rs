//! What counts as a word: letters and digits side by side, without regard to case and diacritics.
//!
//! Texts and queries are both taken apart here, so that the database compares and does not judge: it
//! would by its locale, and take addresses, paths and numbers for words of their own kind.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization as _;

/// How many characters of a word count.
const MAX_LENGTH: usize = 64;

/// How many different words of a query count.
const MAX_QUERY: usize = 64;

/// The last place that a `tsvector` tells apart.
const LAST_PLACE: usize = 16_383;

/// How many places a `tsvector` keeps of one word.
const MAX_PLACES: usize = 256;

/// The words of a text, in order.
fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .nfd()
        .filter(|c| !is_diacritic(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let words = plain.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words
        .map(|word| word.chars().take(MAX_LENGTH).collect())
        .collect()
}

/// Whether a character is a combining diacritical mark.
fn is_diacritic(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// The words of a text with their places, as a `tsvector` is written. A word consists of letters and
/// digits, and needs no escape.
pub(super) fn vector(text: &str) -> String {
    let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (word, place) in words(text).into_iter().zip(1..) {
        let places = places.entry(word).or_default();
        if places.len() < MAX_PLACES {
            places.push(place.min(LAST_PLACE));
        }
    }
    let lexeme = |(word, places): (String, Vec<usize>)| {
        let places: Vec<String> = places.iter().map(usize::to_string).collect();
        format!("'{word}':{}", places.join(","))
    };
    let lexemes: Vec<String> = places.into_iter().map(lexeme).collect();
    lexemes.join(" ")
}

/// The different words of what somebody typed, each as a `tsquery` is written.
pub(super) fn queries(query: &str) -> Vec<String> {
    let mut queries: Vec<String> = Vec::new();
    for word in words(query) {
        let query = format!("'{word}'");
        if !queries.contains(&query) {
            queries.push(query);
        }
        if queries.len() == MAX_QUERY {
            break;
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_without_case_and_diacritics() {
        assert_eq!(
            queries("Über Café nai\u{308}ve \"NOT\""),
            ["'uber'", "'cafe'", "'naive'", "'not'"]
        );
        for nothing in ["", "\"", "* - ( ) : ^ + \0", "\u{301}", "…"] {
            assert!(queries(nothing).is_empty(), "{nothing:?}");
        }
        assert_eq!(queries("it's a+b"), ["'it'", "'s'", "'a'", "'b'"]);
    }

    #[test]
    fn only_so_many_words_count_and_only_so_much_of_each() {
        let many: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        assert_eq!(queries(&many.join(" ")).len(), 64);
        assert_eq!(queries(&"ä".repeat(1_000))[0].len(), 2 + 64);
    }

    #[test]
    fn a_vector_has_the_places_of_each_word() {
        assert_eq!(vector("b a B"), "'a':2 'b':1,3");
        assert_eq!(vector(""), "");
        let long = vector(&"a ".repeat(20_000));
        assert_eq!(long.split(',').count(), MAX_PLACES);
    }
}
