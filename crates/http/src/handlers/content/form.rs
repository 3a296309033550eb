//! Receiving a file with what is said about it: `multipart/form-data` (RFC 7578).
//! The file goes on to storage as it comes in, whatever the order of the parts.

mod parts;

use actix_multipart::Field;
use actix_web::web;
use archesai_content::{Adapters, Json, NewArtifact, Service, Upload};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{disposition, fields, organization, user, view};
use crate::{Problem, body, call::Call};
use parts::Parts;

/// What a file is called until its name is known.
const UNNAMED: &str = "file";

/// The media type that says nothing, which programs send for files they do not know.
const UNKNOWN: &str = "application/octet-stream";

/// The longest media type that is taken from a part, in bytes.
const MAX_MEDIA_TYPE: usize = 255;

/// A form that has come in whole. Its file is stored but is not an artifact yet; dropped,
/// it leaves nothing.
pub(super) struct Received<'a, C: Adapters> {
    /// The file.
    pub(super) upload: Upload<'a, C>,
    /// What the form asks for.
    pub(super) fingerprint: Fingerprint,
}

/// What a form asks for, by which a second one is compared with the first.
#[derive(Serialize)]
pub(super) struct Fingerprint {
    name: String,
    media_type: Option<String>,
    metadata: Json,
    labels: Vec<String>,
    size: u64,
    sha256: Option<String>,
}

/// What has been said about the file so far.
#[derive(Default)]
struct Said {
    name: Option<String>,
    file_name: Option<String>,
    media_type: Option<String>,
    metadata: Option<Json>,
    labels: Option<Vec<String>>,
}

/// A file on its way into storage.
struct File<'a, C: Adapters> {
    upload: Upload<'a, C>,
    size: u64,
    /// Only where it is asked for: storage computes one of its own.
    digest: Option<Sha256>,
}

/// Receives a form.
///
/// # Errors
///
/// 400, 408, 413, 415 or 422; nothing is left then.
pub(super) async fn receive<'a, C: Adapters>(
    service: &'a Service<C>,
    call: &Call,
    payload: web::Payload,
) -> Result<Received<'a, C>, Problem> {
    body::require_plain(call.request())?;
    let mut parts = Parts::open(call, payload)?;
    let mut said = Said::default();
    let mut file = None;
    while let Some((name, field)) = parts.next().await? {
        if name != "file" {
            let text = parts.text(&name, field).await?;
            said.add(&name, &text)?;
        } else if file.is_some() {
            return Err(twice("file"));
        } else {
            said.add_file(&field);
            let mut begun = begin(service, call, &said).await?;
            fill(
                &mut begun,
                &parts,
                field,
                call.gate().settings.max_upload_bytes,
            )
            .await?;
            file = Some(begun);
        }
    }
    let file = file.ok_or_else(|| Problem::fault("/file", "is required"))?;
    said.settle(file)
}

/// Begins to store the file, as what has been said about it so far: what is wrong with
/// that is known before the file has been sent.
async fn begin<'a, C: Adapters>(
    service: &'a Service<C>,
    call: &Call,
    said: &Said,
) -> Result<File<'a, C>, Problem> {
    let caller = call.caller();
    let name = said.name.as_deref().unwrap_or(UNNAMED);
    let new = said.artifact(name.to_owned());
    let upload = service
        .upload(organization(caller), Some(user(caller)), new)
        .await?;
    Ok(File {
        upload,
        size: 0,
        digest: call.has_idempotency_key().then(Sha256::new),
    })
}

/// Passes a part on to storage.
async fn fill<C: Adapters>(
    file: &mut File<'_, C>,
    parts: &Parts,
    mut field: Field,
    limit: u64,
) -> Result<(), Problem> {
    while let Some(chunk) = parts.chunk(&mut field).await? {
        file.size = file.size.saturating_add(chunk.len() as u64);
        if file.size > limit {
            return Err(body::too_large(limit));
        }
        if let Some(digest) = &mut file.digest {
            digest.update(&chunk);
        }
        file.upload.write(chunk.into()).await?;
    }
    Ok(())
}

impl Said {
    /// Takes in a part other than the file.
    fn add(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        let fault = |reason| Problem::fault(format!("/{name}"), reason);
        match name {
            "name" if self.name.is_none() => self.name = Some(text.to_owned()),
            "metadata" if self.metadata.is_none() => {
                self.metadata = Some(fields::metadata(text).map_err(fault)?);
            }
            "labels" => {
                let labels = fields::labels(text).map_err(fault)?;
                self.labels.get_or_insert_default().extend(labels);
            }
            _ => return Err(twice(name)),
        }
        Ok(())
    }

    /// Takes in what the part of the file says of it.
    fn add_file(&mut self, field: &Field) {
        let disposition = field.content_disposition();
        let path = disposition.and_then(|disposition| disposition.get_filename());
        self.file_name = path.and_then(disposition::file_name).map(str::to_owned);
        self.media_type = field
            .content_type()
            .filter(|media_type| media_type.essence_str() != UNKNOWN)
            .map(ToString::to_string)
            .filter(|media_type| media_type.len() <= MAX_MEDIA_TYPE);
    }

    fn artifact(&self, name: String) -> NewArtifact {
        NewArtifact {
            id: None,
            name,
            media_type: self.media_type.clone(),
            metadata: self.metadata.clone().unwrap_or_default(),
            labels: self.labels.clone().unwrap_or_default(),
        }
    }

    /// Makes the file what the whole form says it is.
    fn settle<C: Adapters>(self, mut file: File<'_, C>) -> Result<Received<'_, C>, Problem> {
        let name = self.name.clone().or_else(|| self.file_name.clone());
        let name =
            name.ok_or_else(|| Problem::fault("/name", "is required, for the file has none"))?;
        let new = self.artifact(name);
        let fingerprint = Fingerprint {
            name: new.name.clone(),
            media_type: new.media_type.clone(),
            metadata: new.metadata.clone(),
            labels: new.labels.clone(),
            size: file.size,
            sha256: file.digest.map(|digest| view::hex(&digest.finalize())),
        };
        file.upload.describe(new)?;
        Ok(Received {
            upload: file.upload,
            fingerprint,
        })
    }
}

/// 422 for a part that is there a second time.
fn twice(name: &str) -> Problem {
    Problem::fault(format!("/{name}"), "must not be sent twice")
}
