//! What content has, as the contract shows it.

use std::fmt::Write as _;

use archesai_content::{Artifact, Hit, IndexStatus, Json, Label, SearchMode};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Created, Versioned, generated::content as api, handlers::time};

/// How many ways there are for one version of an artifact to be on its way into search.
const STATUSES: u64 = IndexStatus::ALL.len() as u64;

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}

pub(super) fn artifact(found: Artifact) -> api::Artifact {
    api::Artifact {
        id: Uuid::from_u128(found.id.0),
        organization_id: Uuid::from_u128(found.organization_id.0),
        name: found.name,
        media_type: found.media_type,
        size: i64::try_from(found.size).unwrap_or(i64::MAX),
        sha256: hex(&found.sha256),
        metadata: members(&found.metadata),
        labels: found.labels,
        index_status: status(found.index_status),
        index_error: found.index_error,
        created_by: found.created_by.map(|id| Uuid::from_u128(id.0)),
        created_at: time(found.created_at),
        updated_at: time(found.updated_at),
    }
}

/// The number in the `ETag` of an artifact. Its version does not count how far it is on its
/// way into search, but whoever waits for that must not be told that nothing has changed.
fn tag(artifact: &Artifact) -> u64 {
    artifact.version * STATUSES + artifact.index_status as u64
}

/// The versions in tags, however far the artifact was.
pub(super) fn versions(tags: Vec<u64>) -> Vec<u64> {
    tags.into_iter().map(|tag| tag / STATUSES).collect()
}

pub(super) fn versioned(found: Artifact) -> Versioned<api::Artifact> {
    Versioned {
        version: tag(&found),
        value: artifact(found),
    }
}

pub(super) fn created(stored: Artifact) -> Created<api::Artifact> {
    Created {
        location: format!("/v1/artifacts/{}", stored.id),
        entity: versioned(stored),
    }
}

/// The members of a JSON object.
fn members(json: &Json) -> Map<String, Value> {
    match serde_json::to_value(json) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

pub(super) fn label(found: Label) -> api::Label {
    api::Label {
        id: Uuid::from_u128(found.id.0),
        organization_id: Uuid::from_u128(found.organization_id.0),
        name: found.name,
        created_at: time(found.created_at),
    }
}

pub(super) fn hit(found: Hit) -> api::SearchHit {
    api::SearchHit {
        artifact_id: Uuid::from_u128(found.artifact_id.0),
        artifact_name: found.artifact_name,
        chunk_id: Uuid::from_u128(found.chunk_id.0),
        text: found.text,
        score: found.score,
        position: found.position.into(),
    }
}

fn status(status: IndexStatus) -> api::IndexStatus {
    match status {
        IndexStatus::Pending => api::IndexStatus::Pending,
        IndexStatus::Embedding => api::IndexStatus::Embedding,
        IndexStatus::Indexed => api::IndexStatus::Indexed,
        IndexStatus::Unsupported => api::IndexStatus::Unsupported,
        IndexStatus::Failed => api::IndexStatus::Failed,
    }
}

pub(super) fn domain_status(status: api::IndexStatus) -> IndexStatus {
    match status {
        api::IndexStatus::Pending => IndexStatus::Pending,
        api::IndexStatus::Embedding => IndexStatus::Embedding,
        api::IndexStatus::Indexed => IndexStatus::Indexed,
        api::IndexStatus::Unsupported => IndexStatus::Unsupported,
        api::IndexStatus::Failed => IndexStatus::Failed,
    }
}

pub(super) fn domain_mode(mode: api::SearchMode) -> SearchMode {
    match mode {
        api::SearchMode::Semantic => SearchMode::Semantic,
        api::SearchMode::Keyword => SearchMode::Keyword,
        api::SearchMode::Hybrid => SearchMode::Hybrid,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::SystemTime};

    use archesai_content::{ArtifactId, OrganizationId};

    use super::*;

    fn example(version: u64, index_status: IndexStatus) -> Artifact {
        Artifact {
            id: ArtifactId(1),
            organization_id: OrganizationId(2),
            name: "a.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            size: 3,
            sha256: [0xab; 32],
            blob_key: "2/3".to_owned(),
            metadata: Json::Object(BTreeMap::from([("n".to_owned(), Json::Integer(1))])),
            labels: vec!["a".to_owned()],
            index_status,
            index_error: None,
            chunk_count: 0,
            version,
            created_by: None,
            created_at: SystemTime::UNIX_EPOCH,
            updated_at: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_tag_tells_versions_and_statuses_apart_and_gives_the_version_back() {
        let mut tags = Vec::new();
        for number in [1, 2, 3] {
            for status in IndexStatus::ALL {
                let tag = tag(&example(number, *status));
                assert_eq!(versions(vec![tag]), [number]);
                tags.push(tag);
            }
        }
        assert!(tags.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_artifact_shows_its_metadata_and_digest() {
        let created = created(example(1, IndexStatus::Pending));
        assert_eq!(
            created.location,
            "/v1/artifacts/00000000-0000-0000-0000-000000000001"
        );
        let shown = created.entity.value;
        assert_eq!(shown.sha256, "ab".repeat(32));
        assert_eq!(Value::Object(shown.metadata), serde_json::json!({"n": 1}));
    }
}
