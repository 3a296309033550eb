//! Plain text, and the decoding of characters for all formats that are text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::writer::Writer;
use super::{ExtractError, Extracted, Source};

/// Reads plain text.
pub(super) fn read(source: &Source) -> Result<Extracted, ExtractError> {
    let text = decode(source.bytes, source.charset);
    let mut writer = Writer::new(source.limits.output_chars);
    writer.push(&unix_lines(&text))?;
    Ok(writer.finish())
}

/// Bytes as characters: what a byte order mark says, else the declared `charset`, else UTF-8 where the bytes are valid UTF-8,
/// else windows-1252, in which every byte is a character.
///
/// The order is that of the WHATWG Encoding Standard, "decode", with detection of UTF-8 in place of a locale's default.
pub(super) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let declared = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
    let valid = || std::str::from_utf8(bytes).is_ok();
    let encoding = match declared {
        Some(encoding) => encoding,
        None if valid() => UTF_8,
        None => WINDOWS_1252,
    };
    encoding.decode(bytes).0
}

/// Ends every line with `\n`.
pub(super) fn unix_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_labels_and_bytes_choose_the_encoding() {
        assert_eq!(decode(b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe", None), "grüße");
        assert_eq!(decode(b"\xff\xfeg\0r\0", None), "gr");
        assert_eq!(decode(b"\xfe\xff\0g\0r", Some("utf-8")), "gr");
        assert_eq!(decode("grüße".as_bytes(), None), "grüße");
        assert_eq!(decode(b"gr\xfc\xdfe \x80", None), "grüße €");
        assert_eq!(decode(b"\x93\xfa\x96\x7b", Some("shift_jis")), "日本");
        assert_eq!(decode(b"plain", Some("no such label")), "plain");
    }

    #[test]
    fn line_ends_become_one_kind() {
        assert_eq!(unix_lines("a\r\nb\rc\nd"), "a\nb\nc\nd");
    }
}
