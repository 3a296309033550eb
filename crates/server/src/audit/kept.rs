//! Heads of chains as they are written down, to be kept where whoever has the database does not come.

use std::{fmt, str::FromStr};

use archesai_platform::chains::Place;
use uuid::Uuid;

/// The head of a chain: that the chain had it is what a later check can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose chain it is.
    pub organization: u128,
    /// How far it went.
    pub place: Place,
}

/// A text that is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHead;

impl fmt::Display for InvalidHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it must be ORGANIZATION:POSITION:MAC, as `archesai audit verify` prints it")
    }
}

impl std::error::Error for InvalidHead {}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let organization = Uuid::from_u128(self.organization);
        write!(f, "{organization}:{}:", self.place.position)?;
        let mut bytes = self.place.mac.iter();
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Head {
    type Err = InvalidHead;

    fn from_str(text: &str) -> Result<Self, InvalidHead> {
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or(InvalidHead);
        let organization: Uuid = part()?.parse().map_err(|_| InvalidHead)?;
        let position: i64 = part()?.parse().map_err(|_| InvalidHead)?;
        let mac = mac(part()?).ok_or(InvalidHead)?;
        if position < 1 || parts.next().is_some() {
            return Err(InvalidHead);
        }
        Ok(Self {
            organization: organization.as_u128(),
            place: Place { position, mac },
        })
    }
}

/// Reads 32 bytes in hexadecimal digits.
fn mac(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect();
    let digits = digits?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let mut mac = [0; 32];
        mac[0] = 0xab;
        mac[31] = 1;
        let head = Head {
            organization: 7,
            place: Place { position: 42, mac },
        };
        let text = head.to_string();
        assert!(text.starts_with("00000000-0000-0000-0000-000000000007:42:ab00"));
        assert_eq!(text.parse(), Ok(head));
        for wrong in [
            "",
            "7:42:ab",
            &text[..text.len() - 1],
            &text.replace(":42:", ":0:"),
            &text.replace(":42:", "::"),
            &text.replace("ab00", "xy00"),
            &format!("{text}00"),
            &format!("{text}:"),
        ] {
            assert_eq!(wrong.parse::<Head>(), Err(InvalidHead), "{wrong}");
        }
    }
}
