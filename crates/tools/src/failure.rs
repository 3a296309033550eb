//! Errors of artifacts and documents, as those of a step.

use archesai_content::{ArtifactId, Error};
use archesai_workflows::ToolError;

use crate::extract::ExtractError;

/// What it means for a step that something cannot be done with artifacts.
pub(crate) fn of_content(error: &Error) -> ToolError {
    let code = match error {
        Error::NotFound => "artifact_not_found",
        Error::Invalid { .. } => "invalid_input",
        Error::VersionConflict => "version_conflict",
        Error::LabelTaken => "label_taken",
        Error::AlreadyExists => "artifact_exists",
        Error::TooLarge { .. } => "artifact_too_large",
        Error::NoModel => "no_embedding_model",
        Error::TextRefused { .. } => "text_refused",
        Error::Dimensions { .. } => "wrong_dimensions",
        Error::TooSlow => return ToolError::transient("too_slow", error.to_string()),
        _ => return ToolError::transient("unavailable", error.to_string()),
    };
    ToolError::permanent(code, error.to_string())
}

/// The same of an artifact that was named.
pub(crate) fn of_artifact(id: ArtifactId) -> impl Fn(Error) -> ToolError {
    move |error| match error {
        Error::NotFound => {
            ToolError::permanent("artifact_not_found", format!("there is no artifact {id}"))
        }
        error => of_content(&error),
    }
}

/// What it means for a step that a document gives no text.
pub(crate) fn of_document(error: &ExtractError) -> ToolError {
    let code = match error {
        ExtractError::Unsupported { .. } => "unsupported_media_type",
        ExtractError::Damaged { .. } => "damaged_file",
        ExtractError::Locked(_) => "locked_file",
        ExtractError::TooLarge { .. } => "file_too_large",
        ExtractError::TooDeep { .. } => "file_too_deep",
        ExtractError::TooSlow(_) => "file_too_slow",
        ExtractError::TooCostly => "file_too_costly",
        ExtractError::Busy => return ToolError::transient("busy", error.to_string()),
    };
    ToolError::permanent(code, error.to_string())
}
