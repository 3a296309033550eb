//! The parts of a form, one after the other: as many and as large as allowed, from a
//! client that does not pause for too long.

use std::{fmt, time::Duration};

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    error::PayloadError,
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::{Problem, body, call::Call};

/// The most parts of a form: every field, and a part for each of 32 labels.
const MAX_PARTS: usize = 40;

/// The longest part that is not a file, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// The most that a form may have besides the bytes of its file.
const MAX_OVERHEAD: u64 = 4 << 20;

/// The parts that are known.
const NAMES: [&str; 4] = ["file", "name", "metadata", "labels"];

/// The parts of a form that have yet to come.
pub(super) struct Parts {
    multipart: Multipart,
    patience: Duration,
    count: usize,
}

impl Parts {
    /// Begins to read a form.
    ///
    /// # Errors
    ///
    /// 413 for a body that says it is too large.
    pub(super) fn open(call: &Call, payload: web::Payload) -> Result<Self, Problem> {
        call.wait_for_client();
        let settings = &call.gate().settings;
        let headers = call.request().headers();
        let length = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(0_u64);
        let limit = settings.max_upload_bytes;
        if length > limit.saturating_add(MAX_OVERHEAD) {
            return Err(body::too_large(limit));
        }
        Ok(Self::new(
            Multipart::new(headers, payload),
            settings.idle_timeout,
        ))
    }

    fn new(multipart: Multipart, patience: Duration) -> Self {
        Self {
            multipart,
            patience,
            count: 0,
        }
    }

    /// The next part and its name; `None` at the end.
    ///
    /// # Errors
    ///
    /// 400, 408, or 422 for a part that is not known.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Field)>, Problem> {
        let Some(field) = wait(&mut self.multipart, self.patience).await? else {
            if self.count == 0 {
                return Err(malformed("it has no parts"));
            }
            return Ok(None);
        };
        self.count += 1;
        if self.count > MAX_PARTS {
            let detail = format_args!("must have at most {MAX_PARTS} parts");
            return Err(Problem::fault("", detail));
        }
        let name = field.name().unwrap_or_default().to_owned();
        if !NAMES.contains(&name.as_str()) {
            let detail = format_args!("is not among the parts {}", NAMES.join(", "));
            return Err(Problem::fault(body::pointer(&name), detail));
        }
        Ok(Some((name, field)))
    }

    /// The next bytes of a part; `None` at its end.
    ///
    /// # Errors
    ///
    /// 400 or 408
    pub(super) async fn chunk(&self, field: &mut Field) -> Result<Option<Bytes>, Problem> {
        wait(field, self.patience).await
    }

    /// The text of a part.
    ///
    /// # Errors
    ///
    /// 400 or 408; 422 for one that is too long, or no text.
    pub(super) async fn text(&self, name: &str, mut field: Field) -> Result<String, Problem> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut field).await? {
            if bytes.len() + chunk.len() > MAX_TEXT {
                let detail = format_args!("must have at most {MAX_TEXT} bytes");
                return Err(Problem::fault(format!("/{name}"), detail));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes)
            .map_err(|_| Problem::fault(format!("/{name}"), "must be text in UTF-8"))
    }
}

/// The next item of a stream, unless the client pauses for too long.
async fn wait<T>(
    stream: &mut (impl Stream<Item = Result<T, MultipartError>> + Unpin),
    patience: Duration,
) -> Result<Option<T>, Problem> {
    let item = tokio::time::timeout(patience, stream.next()).await;
    let item = item.map_err(|_| body::stalled())?;
    item.transpose().map_err(|error| broken(&error))
}

fn broken(error: &MultipartError) -> Problem {
    match error {
        MultipartError::Incomplete
        | MultipartError::Payload(PayloadError::Incomplete(_) | PayloadError::Io(_)) => {
            Problem::with_detail(StatusCode::BAD_REQUEST, "the body broke off before its end")
        }
        MultipartError::BoundaryMissing => malformed(
            "`Content-Type` must name a boundary, and every part must begin and end with it",
        ),
        MultipartError::ContentTypeParse => malformed("its `Content-Type` cannot be read"),
        MultipartError::ContentDispositionMissing
        | MultipartError::ContentDispositionNameMissing => {
            malformed("every part must have `Content-Disposition: form-data` with a name")
        }
        MultipartError::Nested => malformed("a part must not have parts of its own"),
        MultipartError::Payload(PayloadError::Overflow) => {
            malformed("a line between its parts is too long")
        }
        _ => malformed("its parts cannot be read"),
    }
}

fn malformed(detail: impl fmt::Display) -> Problem {
    Problem::with_detail(
        StatusCode::BAD_REQUEST,
        format_args!("the body is not the form that is expected here: {detail}"),
    )
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderValue};
    use futures_util::stream;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn headers(content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers
    }

    /// A form that comes in pieces of `size` bytes.
    fn form(body: &[u8], size: usize) -> Parts {
        let pieces: Vec<_> = body
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let headers = headers("multipart/form-data; boundary=x");
        Parts::new(Multipart::new(&headers, stream::iter(pieces)), PATIENCE)
    }

    fn part(name: &str, content: &[u8]) -> Vec<u8> {
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    }

    /// Every part with its bytes.
    async fn all(mut parts: Parts) -> Result<Vec<(String, Vec<u8>)>, Problem> {
        let mut read = Vec::new();
        while let Some((name, mut field)) = parts.next().await? {
            let mut bytes = Vec::new();
            while let Some(chunk) = parts.chunk(&mut field).await? {
                bytes.extend_from_slice(&chunk);
            }
            read.push((name, bytes));
        }
        Ok(read)
    }

    async fn status(parts: Parts) -> u16 {
        let problem = all(parts).await.expect_err("it must be refused");
        problem.status().as_u16()
    }

    #[actix_web::test]
    async fn parts_arrive_whole_however_they_are_cut() {
        let tricky = b"a\r\n--\r\n-x\r--\r\r\n\n--y\0\xff\r\n";
        let large: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let body = [
            part("labels", b"a,b"),
            part("file", tricky),
            part("metadata", b""),
            part("name", &large),
            b"--x--\r\n".to_vec(),
        ]
        .concat();
        for size in [1, 7, 1000, 65_536, body.len()] {
            let read = all(form(&body, size)).await.expect("a form");
            let expected: [(&str, &[u8]); 4] = [
                ("labels", b"a,b"),
                ("file", tricky),
                ("metadata", b""),
                ("name", &large),
            ];
            assert_eq!(read.len(), 4);
            for ((name, bytes), (expected, content)) in read.iter().zip(expected) {
                assert_eq!(name, expected);
                assert!(bytes == content, "{name} in pieces of {size}");
            }
        }
    }

    #[actix_web::test]
    async fn what_is_no_form_is_malformed() {
        let cut = part("file", b"abc");
        for body in [
            b"".as_slice(),
            b"garbage",
            b"--x--\r\n",
            b"--x\r\n\r\nno name\r\n--x--\r\n",
            b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n",
            b"--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbroken o",
            &cut[..cut.len() - 1],
            &vec![b'a'; 200_000],
        ] {
            let text = String::from_utf8_lossy(&body[..body.len().min(60)]);
            assert_eq!(status(form(body, 1000)).await, 400, "{text}");
        }
        for content_type in ["multipart/form-data", "multipart/form-data; boundary="] {
            let multipart = Multipart::new(&headers(content_type), stream::empty());
            assert_eq!(status(Parts::new(multipart, PATIENCE)).await, 400);
        }
    }

    #[actix_web::test]
    async fn unknown_parts_and_too_many_are_refused() {
        assert_eq!(status(form(&part("a/b", b""), 1000)).await, 422);
        let many = part("labels", b"a").repeat(MAX_PARTS + 1);
        assert_eq!(status(form(&many, 1000)).await, 422);
    }

    #[actix_web::test]
    async fn texts_are_short_and_in_utf8() {
        for (content, fine) in [
            (b"abc".to_vec(), true),
            (vec![b'a'; MAX_TEXT], true),
            (vec![b'a'; MAX_TEXT + 1], false),
            (vec![0xff], false),
        ] {
            let body = [part("name", &content), b"--x--\r\n".to_vec()].concat();
            let mut parts = form(&body, 1000);
            let next = parts.next().await;
            let (name, field) = next.expect("a form").expect("a part");
            let text = parts.text(&name, field).await;
            assert_eq!(text.is_ok(), fine, "{} bytes", content.len());
        }
    }

    #[actix_web::test]
    async fn nobody_waits_for_a_client_that_pauses() {
        let begun = Bytes::from(part("file", b"abc"));
        for pieces in [vec![], vec![Ok(begun)]] {
            let stalled = stream::iter(pieces).chain(stream::pending());
            let headers = headers("multipart/form-data; boundary=x");
            let parts = Parts::new(Multipart::new(&headers, stalled), PATIENCE);
            assert_eq!(status(parts).await, 408);
        }
    }
}
