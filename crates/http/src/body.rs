//! Request bodies: bounded, typed, validated.

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    web,
};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

use crate::{
    Fault, Problem, Settings,
    room::Space,
    strict::{self, Limits, Refused},
    wording,
};

/// How many values a body may have.
const MAX_VALUES: usize = 250_000;

/// How much memory a value takes while its request is worked on, besides its text: in bytes, and about.
const VALUE: usize = 128;

/// Reads a JSON body of at most `limit` bytes into a type, within a space.
pub(crate) async fn read<T: DeserializeOwned + Validate>(
    request: &HttpRequest,
    payload: web::Payload,
    settings: &Settings,
    limit: usize,
    space: &mut Space,
) -> Result<T, Problem> {
    require_json(request)?;
    let bytes = tokio::time::timeout(settings.body_timeout, collect(payload, limit, space));
    let bytes = bytes.await.map_err(|_| stalled())??;
    let limits = Limits {
        depth: settings.max_json_depth,
        values: MAX_VALUES,
    };
    let (value, values) = strict::parse(&bytes, limits).map_err(refused)?;
    space.take(values * VALUE)?;
    if !value.is_object() {
        return Err(Problem::fault("", "must be a JSON object"));
    }
    let body: T = serde_path_to_error::deserialize(value).map_err(|error| mistyped(&error, ""))?;
    body.validate()
        .map_err(|errors| Problem::invalid(faults(&errors, "")))?;
    Ok(body)
}

/// Refuses a body that is compressed, for how long it becomes nobody knows.
pub(crate) fn require_plain(request: &HttpRequest) -> Result<(), Problem> {
    if request.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::with_detail(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be sent without Content-Encoding",
        ));
    }
    Ok(())
}

/// Whether the body is said to be of a media type, parameters aside.
pub(crate) fn is(request: &HttpRequest, media_type: &str) -> bool {
    let given = request.headers().get(header::CONTENT_TYPE);
    let essence = given
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(media_type))
}

fn require_json(request: &HttpRequest) -> Result<(), Problem> {
    require_plain(request)?;
    if is(request, "application/json") {
        return Ok(());
    }
    Err(Problem::with_detail(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the body must be sent as `Content-Type: application/json`",
    ))
}

async fn collect(
    mut payload: web::Payload,
    limit: usize,
    space: &mut Space,
) -> Result<BytesMut, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::with_detail(StatusCode::BAD_REQUEST, "the body broke off before its end")
        })?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit as u64));
        }
        space.take(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// 413, with the limit.
pub(crate) fn too_large(limit: u64) -> Problem {
    Problem::with_detail(
        StatusCode::PAYLOAD_TOO_LARGE,
        format_args!("the body may have at most {limit} bytes"),
    )
}

/// 408: the client took too long.
pub(crate) fn stalled() -> Problem {
    Problem::with_detail(
        StatusCode::REQUEST_TIMEOUT,
        "the body did not arrive in time; send it without pauses",
    )
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Malformed(error) => Problem::with_detail(
            StatusCode::BAD_REQUEST,
            format_args!("the body is not the JSON expected here: {error}"),
        ),
        Refused::TooMany => Problem::with_detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            format_args!("the body may have at most {MAX_VALUES} values"),
        ),
    }
}

/// 422 for a value of the wrong type, an unknown or a missing field.
pub(crate) fn mistyped<E: std::fmt::Display>(
    error: &serde_path_to_error::Error<E>,
    base: &str,
) -> Problem {
    let detail = error.inner().to_string();
    let mut pointer = base.to_owned();
    for segment in error.path() {
        let name = match segment {
            serde_path_to_error::Segment::Seq { index } => index.to_string(),
            serde_path_to_error::Segment::Map { key } => escape(key),
            _ => continue,
        };
        pointer.extend(["/", &name]);
    }
    if let Some(field) = detail
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        pointer.extend(["/", &escape(field)]);
        return Problem::fault(pointer, "is required");
    }
    Problem::fault(pointer, wording::reworded(&detail))
}

/// The JSON pointer to a member of the body.
pub(crate) fn pointer(key: &str) -> String {
    format!("/{}", escape(key))
}

/// A key as a segment of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The faults that validation found.
pub(crate) fn faults(errors: &ValidationErrors, base: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (field, kind) in errors.errors() {
        let pointer = format!("{base}/{}", escape(field));
        match kind {
            ValidationErrorsKind::Struct(inner) => faults.extend(self::faults(inner, &pointer)),
            ValidationErrorsKind::List(items) => {
                for (index, inner) in items {
                    faults.extend(self::faults(inner, &format!("{pointer}/{index}")));
                }
            }
            ValidationErrorsKind::Field(errors) => {
                faults.extend(errors.iter().map(|error| Fault {
                    pointer: pointer.clone(),
                    detail: rule(error),
                }));
            }
        }
    }
    faults.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    faults
}

/// A broken rule in words. The offending value is not repeated: it may be a secret.
fn rule(error: &validator::ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let parameter = |name| error.params.get(name).map(ToString::to_string);
    let many = error
        .params
        .get("value")
        .is_some_and(serde_json::Value::is_array);
    let what = if many { "items" } else { "characters" };
    match (error.code.as_ref(), parameter("min"), parameter("max")) {
        ("length", Some(min), Some(max)) => format!("must have {min} to {max} {what}"),
        ("length", Some(min), None) => format!("must have at least {min} {what}"),
        ("length", None, Some(max)) => format!("must have at most {max} {what}"),
        ("range", Some(min), Some(max)) => format!("must lie between {min} and {max}"),
        ("range", Some(min), None) => format!("must be at least {min}"),
        ("range", None, Some(max)) => format!("must be at most {max}"),
        ("email", ..) => "must be an email address such as ada@example.com".to_owned(),
        (code, ..) => format!("breaks the rule `{code}`"),
    }
}
