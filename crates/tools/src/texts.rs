//! The texts of artifacts.

use std::sync::Arc;

use archesai_content::Artifact;
use archesai_workflows::ToolError;

use crate::{
    capabilities::{Artifacts, Parts},
    extract::ExtractError,
    extractor::Extractor,
    failure,
    tool::Call,
};

/// Finds the texts of artifacts, whether or not they are indexed already.
pub(crate) struct Texts {
    artifacts: Arc<dyn Artifacts>,
    extractor: Extractor,
}

impl Texts {
    pub(crate) fn new(parts: &Parts) -> Self {
        Self {
            artifacts: Arc::clone(&parts.artifacts),
            extractor: parts.extractor.clone(),
        }
    }

    /// The text as it was extracted or, before it is indexed, as it will be; `None` where there is none.
    pub(crate) async fn of(
        &self,
        call: &Call<'_>,
        artifact: &Artifact,
    ) -> Result<Option<String>, ToolError> {
        let failed = failure::of_artifact(artifact.id);
        let stored = self.artifacts.text(call.actor, artifact.id).await;
        if let Some(text) = stored.map_err(&failed)? {
            return Ok(Some(text));
        }
        let limit = self.extractor.max_bytes();
        if artifact.size > limit {
            return Ok(None);
        }
        let bytes = self
            .artifacts
            .bytes(call.actor, artifact.id, limit)
            .await
            .map_err(&failed)?;
        match self
            .extractor
            .read(bytes, &artifact.media_type, &artifact.name)
            .await
        {
            Ok(extracted) => Ok(Some(extracted.text)),
            Err(error @ ExtractError::Busy) => Err(failure::of_document(&error)),
            Err(error) => {
                call.tell(&format!("it has no text: {error}"));
                Ok(None)
            }
        }
    }
}
