//! The names of files, on their way out in `Content-Disposition` (RFC 6266) and on
//! their way in with a form (RFC 7578).

use std::fmt::Write as _;

/// The `Content-Disposition` that has a file saved under a name. A name beyond
/// printable ASCII is given a second time, encoded as in RFC 8187; programs that
/// do not know that take the first, which has `_` for what it cannot say.
pub(super) fn attachment(name: &str) -> String {
    // A path would be cut, or taken for one.
    let name = name.replace(['/', '\\'], "_");
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '%');
    let fallback = name.replace(|c| !plain(c), "_");
    let mut value = format!("attachment; filename=\"{fallback}\"");
    if fallback != name {
        value += "; filename*=UTF-8''";
        for byte in name.bytes() {
            if is_attr_char(byte) {
                value.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                _ = write!(value, "%{byte:02X}");
            }
        }
    }
    value
}

/// What RFC 8187, section 3.2.1, leaves as it is.
fn is_attr_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}

/// The name of a file without the folders some programs send along, which say nothing
/// here (RFC 7578, section 4.2). `None` where nothing is left.
pub(super) fn file_name(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_quoted() {
        assert_eq!(
            attachment("a b(1).txt"),
            "attachment; filename=\"a b(1).txt\""
        );
    }

    #[test]
    fn other_names_are_said_twice() {
        for (name, expected) in [
            ("ä.txt", "filename=\"_.txt\"; filename*=UTF-8''%C3%A4.txt"),
            ("a\"b", "filename=\"a_b\"; filename*=UTF-8''a%22b"),
            ("100%", "filename=\"100_\"; filename*=UTF-8''100%25"),
            ("€ 1", "filename=\"_ 1\"; filename*=UTF-8''%E2%82%AC%201"),
        ] {
            assert_eq!(attachment(name), format!("attachment; {expected}"));
        }
    }

    #[test]
    fn no_name_is_a_path_or_ends_the_header() {
        assert_eq!(attachment("../a\\b"), "attachment; filename=\".._a_b\"");
        let value = attachment("a\r\nSet-Cookie: b");
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }

    #[test]
    fn folders_are_cut_off_file_names() {
        for (path, expected) in [
            ("a.txt", Some("a.txt")),
            ("C:\\files\\a.txt", Some("a.txt")),
            ("../../etc/passwd", Some("passwd")),
            (" a ", Some("a")),
            ("a/", None),
            ("", None),
        ] {
            assert_eq!(file_name(path), expected, "{path:?}");
        }
    }
}
