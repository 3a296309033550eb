//! Email addresses, which people sign in with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The longest address that can be delivered to (RFC 5321, section 4.5.3.1, less the angle brackets).
const MAX_LENGTH: usize = 254;

/// A plausible email address in lower case. Only a mail to it proves that it exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Parses an address, ignoring surrounding space and the case of its letters.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] unless it is `local@host` with a dotted or single-label
    /// host, no space or control character, and at most 254 bytes.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        if is_plausible(&text) {
            Ok(Self(text))
        } else {
            Err(Error::Invalid {
                field: "email",
                reason: "must be an email address such as ada@example.com",
            })
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_plausible(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= MAX_LENGTH
        && !local.is_empty()
        && local.len() <= 64
        && !local.contains('@')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && host.split('.').all(label)
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Email;

    #[test]
    fn addresses_are_folded_to_lower_case() {
        assert_eq!(
            Email::parse(" Ada@Example.COM ").unwrap().as_str(),
            "ada@example.com"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "", "ada", "@b", "a@", "a@b..c", "a b@c.d", "a@-b.c", "a@b@c", &long,
        ] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
    }
}
