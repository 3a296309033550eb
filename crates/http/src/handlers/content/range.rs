//! Which bytes a client asks for (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` means for a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range is asked for, or none that is understood here.
    All,
    /// These bytes of it.
    Part(Range<u64>),
    /// Bytes it does not have.
    Unsatisfiable,
}

/// Reads the value of a `Range` for a representation of `size` bytes. What is
/// malformed, of another unit or of several parts does not count, as section 14.2
/// allows.
pub(super) fn parse(value: &str, size: u64) -> Wanted {
    wanted(value, size).unwrap_or(Wanted::All)
}

fn wanted(value: &str, size: u64) -> Option<Wanted> {
    let (unit, range) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    if first.is_empty() {
        return Some(suffix(position(last)?, size));
    }
    let first = position(first)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        position(last)?
    };
    if last < first {
        return None;
    }
    if first >= size {
        return Some(Wanted::Unsatisfiable);
    }
    Some(Wanted::Part(first..last.saturating_add(1).min(size)))
}

/// The last bytes. Of nothing these are nothing, which no `Content-Range` can say.
fn suffix(length: u64, size: u64) -> Wanted {
    match (length, size) {
        (0, _) => Wanted::Unsatisfiable,
        (_, 0) => Wanted::All,
        _ => Wanted::Part(size.saturating_sub(length)..size),
    }
}

/// A position or length. One that is beyond all sizes is as good as the greatest.
fn position(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_within_the_representation() {
        for (value, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-499", 0..100),
            ("bytes=10-19", 10..20),
            ("bytes=99-", 99..100),
            ("bytes=0-", 0..100),
            ("bytes=-1", 99..100),
            ("bytes=-100", 0..100),
            ("bytes=-101", 0..100),
            ("BYTES= 5-6 ", 5..7),
            ("bytes=5-99999999999999999999999", 5..100),
            ("bytes=-99999999999999999999999", 0..100),
            ("bytes=0-18446744073709551615", 0..100),
        ] {
            assert_eq!(parse(value, 100), Wanted::Part(expected), "{value}");
        }
    }

    #[test]
    fn bytes_beyond_the_end_cannot_be_had() {
        for (value, size) in [
            ("bytes=100-", 100),
            ("bytes=100-200", 100),
            ("bytes=99999999999999999999999-", 100),
            ("bytes=-0", 100),
            ("bytes=0-", 0),
            ("bytes=0-0", 0),
            ("bytes=-0", 0),
        ] {
            assert_eq!(parse(value, size), Wanted::Unsatisfiable, "{value}");
        }
    }

    #[test]
    fn what_is_not_understood_does_not_count() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=0-1,3-4",
            "bytes=0 - 1",
            "lines=1-2",
            "bytes 1-2",
        ] {
            assert_eq!(parse(value, 100), Wanted::All, "{value}");
        }
        assert_eq!(parse("bytes=-5", 0), Wanted::All);
    }
}
