//! Places in a stream of server-sent events, which it can go on after.

use std::{fmt, str::FromStr};

use crate::Problem;

/// The header that says where a client left off, as the standard writes it in lower case.
pub(super) const HEADER: &str = "last-event-id";

/// The greatest sequence of a line.
pub(super) const MAX_LINE: u64 = i64::MAX.unsigned_abs();

/// How far a client has seen a run: the last event, and the last line of the
/// log. Both places grow along a stream, so that the `id` of any event says
/// what came before it. Written as `<event>-<line>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The sequence of the last event, or 0.
    pub(super) event: i64,
    /// The sequence of the last line of the log, or 0.
    pub(super) line: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.event, self.line)
    }
}

impl FromStr for Position {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let read = || {
            let (event, line) = text.split_once('-')?;
            let position = Self {
                event: event.parse().ok()?,
                line: line.parse().ok()?,
            };
            // `+1-02` would be read too, but was never given out, nor is what no column can hold.
            let given = position.to_string() == text && position.line <= MAX_LINE;
            given.then_some(position)
        };
        read().ok_or_else(|| {
            Problem::fault(
                format!("/header/{HEADER}"),
                "must be the `id` of an event of this stream, unchanged",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (event, line) in [(0, 0), (1, 0), (0, 1), (i64::MAX, MAX_LINE)] {
            let position = Position { event, line };
            let read: Position = position.to_string().parse().unwrap();
            assert_eq!(read, position);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "-1-1",
            "1-2-3",
            "a-b",
            "+1-2",
            "01-2",
            "1 -2",
            "9223372036854775808-0",
            "0-9223372036854775808",
        ] {
            let problem = text.parse::<Position>().unwrap_err();
            assert_eq!(problem.status().as_u16(), 422, "{text}");
        }
    }
}
