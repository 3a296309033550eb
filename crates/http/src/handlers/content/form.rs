//! Receiving a file with what is said about it: `multipart/form-data` (RFC 7578).
//! The file goes on to storage as it comes in, whatever the order of the parts.

mod parts;

use actix_multipart::Field;
use actix_web::web;
use archesai_content::{Adapters, ArtifactId, Json, NewArtifact, Service, Upload};
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

/// What a form asks for, by which a second one is compared with the first.
#[derive(Serialize)]
pub(super) struct Asked {
    name: String,
    media_type: Option<String>,
    metadata: Json,
    labels: Vec<String>,
    size: u64,
    /// Only where it is compared.
    sha256: Option<String>,
}

impl Asked {
    /// The artifact that is asked for.
    pub(super) fn artifact(self, id: ArtifactId) -> NewArtifact {
        NewArtifact {
            id: Some(id),
            name: self.name,
            media_type: self.media_type,
            metadata: self.metadata,
            labels: self.labels,
        }
    }
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
struct File<C: Adapters> {
    upload: Upload<C>,
    size: u64,
    /// Only where it is asked for: storage computes one of its own.
    digest: Option<Sha256>,
}

/// Receives a form. Its file is stored then but is not an artifact yet; dropped, it leaves nothing.
///
/// # Errors
///
/// 400, 408, 413, 415 or 422; nothing is left then.
pub(super) async fn receive<C: Adapters>(
    service: &Service<C>,
    call: &Call,
    payload: web::Payload,
) -> Result<(Upload<C>, Asked), Problem> {
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
async fn begin<C: Adapters>(
    service: &Service<C>,
    call: &Call,
    said: &Said,
) -> Result<File<C>, Problem> {
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
    file: &mut File<C>,
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

    /// What the whole form asks for.
    fn settle<C: Adapters>(self, file: File<C>) -> Result<(Upload<C>, Asked), Problem> {
        let name = self.name.or(self.file_name);
        let name =
            name.ok_or_else(|| Problem::fault("/name", "is required, for the file has none"))?;
        let asked = Asked {
            name,
            media_type: self.media_type,
            metadata: self.metadata.unwrap_or_default(),
            labels: self.labels.unwrap_or_default(),
            size: file.size,
            sha256: file.digest.map(|digest| view::hex(&digest.finalize())),
        };
        Ok((file.upload, asked))
    }
}

/// 422 for a part that is there a second time.
fn twice(name: &str) -> Problem {
    Problem::fault(format!("/{name}"), "must not be sent twice")
}
