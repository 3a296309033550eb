//! Durations as they are written in definitions.

use std::time::Duration;

/// The longest duration a definition may say.
pub(super) const LONGEST: Duration = Duration::from_hours(30 * 24);

/// Reads a whole number and a unit: `250ms`, `1s`, `2m`, `1h`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let duration = Duration::from_millis(number.checked_mul(milliseconds)?);
    (duration <= LONGEST).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let read = ["250ms", "1s", "2m", "1h"].map(|text| parse(text).map(|read| read.as_millis()));
        assert_eq!(read, [250, 1_000, 120_000, 3_600_000].map(Some));
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "s",
            "1",
            "-1s",
            "1.5s",
            "1 s",
            "1d",
            "99999999999999999999s",
            "721h",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
