//! Answering the bytes of an artifact: all, some, or none because the client has them.

use std::ops::Range;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{
        StatusCode,
        header::{self, HeaderName},
    },
};
use archesai_content::{Adapters, Artifact, Error, Service, ports::BlobReader};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{
    disposition,
    range::{self, Wanted},
    view,
};
use crate::{Problem, condition, observe};

/// Answers the bytes that a request asks for.
pub(super) async fn answer<C: Adapters>(
    service: &Service<C>,
    request: &HttpRequest,
    artifact: &Artifact,
) -> Result<HttpResponse, Problem> {
    let etag = format!("\"{}\"", view::hex(&artifact.sha256));
    if condition::is_known(request, &etag)? {
        return Ok(begin(StatusCode::NOT_MODIFIED, &etag).finish());
    }
    let part = match wanted(request, &etag, artifact.size) {
        Wanted::All => None,
        Wanted::Part(part) => Some(part),
        Wanted::Unsatisfiable => return Ok(unsatisfiable(request, artifact.size)),
    };
    let opened = service.open_content(artifact.organization_id, artifact.id, part.clone());
    let (_, reader) = opened.await?;
    let mut response = begin(status(part.as_ref()), &etag);
    describe(&mut response, artifact);
    if let Some(Range { start, end }) = part {
        let place = format!("bytes {start}-{}/{}", end - 1, artifact.size);
        response.insert_header((header::CONTENT_RANGE, place));
        Ok(response.body(SizedStream::new(end - start, chunks(reader))))
    } else {
        Ok(response.body(SizedStream::new(artifact.size, chunks(reader))))
    }
}

fn status(part: Option<&Range<u64>>) -> StatusCode {
    if part.is_some() {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    }
}

/// The range asked for, unless `If-Range` names other bytes than these. A date in it
/// never fits, for none was given out; nor does a weak tag (RFC 9110, section 13.1.5).
fn wanted(request: &HttpRequest, etag: &str, size: u64) -> Wanted {
    let text = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    let same = !request.headers().contains_key(header::IF_RANGE)
        || text(header::IF_RANGE).is_some_and(|tag| tag.trim() == etag);
    match text(header::RANGE) {
        Some(value) if same => range::parse(value, size),
        _ => Wanted::All,
    }
}

fn begin(status: StatusCode, etag: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::ETAG, etag));
    response.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    response
}

/// Says what the bytes are, and that a browser is to save them: shown in its window,
/// a page that somebody uploaded would speak for this server.
fn describe(response: &mut HttpResponseBuilder, artifact: &Artifact) {
    response.insert_header((header::CONTENT_TYPE, artifact.media_type.as_str()));
    let disposition = disposition::attachment(&artifact.name);
    response.insert_header((header::CONTENT_DISPOSITION, disposition));
    response.insert_header((
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox",
    ));
    response.insert_header((header::ACCEPT_RANGES, "bytes"));
}

/// 416, with the size that a range must lie within.
fn unsatisfiable(request: &HttpRequest, size: u64) -> HttpResponse {
    let problem = Problem::with_detail(
        StatusCode::RANGE_NOT_SATISFIABLE,
        format_args!("the range must begin within the {size} bytes of the artifact"),
    );
    let mut response = problem.answer(request.path(), &observe::request_id(request));
    let place = format!("bytes */{size}");
    if let Ok(place) = header::HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::CONTENT_RANGE, place);
    }
    response
}

/// The bytes of a reader. An error ends the connection, which is all that is left to
/// tell a client once the answer has begun.
fn chunks<R: BlobReader>(reader: R) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::try_unfold(reader, |mut reader| async move {
        let chunk = reader.next().await.inspect_err(|error| {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "a download broke off"
            );
        })?;
        Ok(chunk.map(|chunk| (Bytes::from(chunk), reader)))
    })
}
