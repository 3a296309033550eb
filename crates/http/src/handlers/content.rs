//! The operations tagged `content`.

mod disposition;
mod download;
mod fields;
mod form;
mod range;
mod view;

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode, web};
use archesai_content::{
    Adapters, Artifact, ArtifactChanges, ArtifactFilter, ArtifactId, ArtifactSort, Error, LabelId,
    LabelSort, NewArtifact, OrganizationId, SearchFilter, SearchRequest, Service, UserId,
};
use uuid::Uuid;

use crate::{
    Caller, Problem, Versioned, body,
    call::Call,
    generated::content::{self as api, ContentApi},
    page,
};

/// How many passages a search finds where the client does not say.
const DEFAULT_HITS: u32 = 10;

/// The operations tagged `content`.
pub struct Content<C: Adapters> {
    /// The use cases of content.
    pub content: Arc<Service<C>>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, reason } => Self::fault(format!("/{field}"), reason),
            Error::Dimensions { expected } => Self::fault(
                "/embedding",
                format_args!("must have {expected} numbers, as the vectors of the model have"),
            ),
            Error::TextRefused { .. } => Self::fault("/query", error),
            Error::NotFound => Self::not_found(),
            Error::VersionConflict => Self::with_detail(StatusCode::PRECONDITION_FAILED, error),
            Error::TooLarge { limit } => body::too_large(limit),
            Error::TooSlow => Self::with_detail(StatusCode::REQUEST_TIMEOUT, error),
            Error::AlreadyExists | Error::LabelTaken | Error::NoModel => Self::conflict(error),
            Error::Unavailable(cause) => Self::unavailable(cause),
            error => Self::unavailable(error),
        }
    }
}

/// Where a fault of a filter is in the query of a list.
fn in_query(error: Error) -> Problem {
    match error {
        Error::Invalid {
            field: "labels",
            reason,
        } => Problem::fault("/query/filter[label]", reason),
        Error::Invalid { field, reason } => {
            Problem::fault(format!("/query/filter[{field}]"), reason)
        }
        error => error.into(),
    }
}

/// Where a fault of a search is in its body.
fn in_search(error: Error) -> Problem {
    match error {
        Error::Invalid {
            field: field @ ("labels" | "metadata" | "artifact_ids" | "media_type"),
            reason,
        } => Problem::fault(format!("/filter/{field}"), reason),
        error => error.into(),
    }
}

fn organization(caller: &Caller) -> OrganizationId {
    OrganizationId(caller.organization_id.0)
}

fn user(caller: &Caller) -> UserId {
    UserId(caller.user_id.0)
}

fn artifact_sort(order: api::ArtifactOrder) -> ArtifactSort {
    use api::ArtifactOrder as Order;
    match order {
        Order::CreatedAt | Order::CreatedAtDescending => ArtifactSort::CreatedAt,
        Order::Name | Order::NameDescending => ArtifactSort::Name,
    }
}

fn label_sort(order: api::LabelOrder) -> LabelSort {
    use api::LabelOrder as Order;
    match order {
        Order::CreatedAt | Order::CreatedAtDescending => LabelSort::CreatedAt,
        Order::Name | Order::NameDescending => LabelSort::Name,
    }
}

fn filter(query: &api::ListArtifactsQuery) -> Result<ArtifactFilter, Problem> {
    let labels = query.filter_label.as_deref().map(fields::labels);
    let metadata = query.filter_metadata.as_deref().map(fields::metadata);
    let at = |name| move |reason| Problem::fault(format!("/query/filter[{name}]"), reason);
    Ok(ArtifactFilter {
        labels: labels.transpose().map_err(at("label"))?.unwrap_or_default(),
        name: query.filter_name.clone(),
        media_type: query.filter_media_type.clone(),
        metadata: metadata
            .transpose()
            .map_err(at("metadata"))?
            .unwrap_or_default(),
        index_status: query.filter_index_status.map(view::domain_status),
    })
}

fn search_filter(filter: api::SearchFilter) -> Result<SearchFilter, Problem> {
    let ids = |ids: Vec<Uuid>| ids.into_iter().map(|id| ArtifactId(id.as_u128())).collect();
    Ok(SearchFilter {
        labels: filter.labels.unwrap_or_default(),
        metadata: fields::json(filter.metadata)?,
        artifact_ids: filter.artifact_ids.map(ids),
        media_type: filter.media_type,
    })
}

impl<C: Adapters> Content<C> {
    /// Stores a text sent as JSON.
    async fn create_from_json(
        &self,
        call: Call,
        payload: web::Payload,
    ) -> Result<HttpResponse, Problem> {
        let body: api::CreateArtifactRequest = call.body(payload).await?;
        let content = Arc::clone(&self.content);
        let store = async move |call: &Call, new_id: Uuid, body: api::CreateArtifactRequest| {
            let new = NewArtifact {
                id: Some(ArtifactId(new_id.as_u128())),
                name: body.name,
                media_type: body.media_type,
                metadata: fields::json(body.metadata)?,
                labels: body.labels.unwrap_or_default(),
            };
            let (caller, bytes) = (call.caller(), body.content.into_bytes());
            let stored =
                content.create_artifact(organization(caller), Some(user(caller)), new, bytes);
            Ok(view::created(stored.await?))
        };
        call.once(body, StatusCode::CREATED, store).await
    }

    /// Stores a file sent as a form.
    async fn create_from_form(
        &self,
        call: Call,
        payload: web::Payload,
    ) -> Result<HttpResponse, Problem> {
        let (mut upload, asked) = form::receive(&self.content, &call, payload).await?;
        let content = Arc::clone(&self.content);
        let store = async move |_: &Call, new_id: Uuid, asked: form::Asked| {
            upload.describe(asked.artifact(ArtifactId(new_id.as_u128())))?;
            Ok(view::created(content.finish_upload(upload).await?))
        };
        call.once(asked, StatusCode::CREATED, store).await
    }

    async fn find(&self, caller: &Caller, id: Uuid) -> Result<Artifact, Problem> {
        let id = ArtifactId(id.as_u128());
        Ok(self.content.artifact(organization(caller), id).await?)
    }
}

impl<C: Adapters> ContentApi for Content<C> {
    async fn list_artifacts(
        &self,
        caller: &Caller,
        query: api::ListArtifactsQuery,
    ) -> Result<api::ArtifactPage, Problem> {
        let order = query
            .sort
            .unwrap_or(api::ArtifactOrder::CreatedAtDescending);
        let (cursor, sort) = (query.cursor.as_deref(), artifact_sort(order));
        let slice = page::slice("artifacts", query.limit, cursor, order.as_str(), sort)?;
        let filter = filter(&query)?;
        let page = self
            .content
            .list_artifacts(organization(caller), filter, &slice);
        let page = page.await.map_err(in_query)?;
        Ok(api::ArtifactPage {
            data: page.items.into_iter().map(view::artifact).collect(),
            next_cursor: page::encode("artifacts", order.as_str(), page.next),
        })
    }

    async fn create_artifact(
        &self,
        call: Call,
        payload: web::Payload,
    ) -> Result<HttpResponse, Problem> {
        let request = call.request();
        if body::is(request, "multipart/form-data") {
            self.create_from_form(call, payload).await
        } else if body::is(request, "application/json") {
            self.create_from_json(call, payload).await
        } else {
            Err(Problem::with_detail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body must be sent as `Content-Type: application/json` or as \
                 `multipart/form-data` with the boundary of its parts",
            ))
        }
    }

    async fn get_artifact(
        &self,
        caller: &Caller,
        id: Uuid,
    ) -> Result<Versioned<api::Artifact>, Problem> {
        Ok(view::versioned(self.find(caller, id).await?))
    }

    async fn delete_artifact(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: Option<Vec<u64>>,
    ) -> Result<(), Problem> {
        let expected = if_match.map(view::versions);
        let deleted = self.content.delete_artifact(
            organization(caller),
            Some(user(caller)),
            ArtifactId(id.as_u128()),
            expected.as_deref(),
        );
        Ok(deleted.await?)
    }

    async fn update_artifact(
        &self,
        caller: &Caller,
        id: Uuid,
        if_match: Option<Vec<u64>>,
        body: api::UpdateArtifactRequest,
    ) -> Result<Versioned<api::Artifact>, Problem> {
        let changes = ArtifactChanges {
            name: body.name,
            metadata: body
                .metadata
                .map(|map| fields::json(Some(map)))
                .transpose()?,
            labels: body.labels,
        };
        let expected = if_match.map(view::versions);
        let updated = self.content.update_artifact(
            organization(caller),
            Some(user(caller)),
            ArtifactId(id.as_u128()),
            expected.as_deref(),
            changes,
        );
        Ok(view::versioned(updated.await?))
    }

    async fn get_artifact_content(
        &self,
        call: Call,
        _payload: web::Payload,
        id: Uuid,
    ) -> Result<HttpResponse, Problem> {
        let artifact = self.find(call.caller(), id).await?;
        download::answer(&self.content, call.request(), &artifact).await
    }

    async fn list_labels(
        &self,
        caller: &Caller,
        query: api::ListLabelsQuery,
    ) -> Result<api::LabelPage, Problem> {
        let order = query.sort.unwrap_or(api::LabelOrder::CreatedAtDescending);
        let (cursor, sort) = (query.cursor.as_deref(), label_sort(order));
        let slice = page::slice("labels", query.limit, cursor, order.as_str(), sort)?;
        let page = self
            .content
            .list_labels(organization(caller), &slice)
            .await?;
        Ok(api::LabelPage {
            data: page.items.into_iter().map(view::label).collect(),
            next_cursor: page::encode("labels", order.as_str(), page.next),
        })
    }

    async fn create_label(
        &self,
        caller: &Caller,
        new_id: Uuid,
        body: api::CreateLabelRequest,
    ) -> Result<api::Label, Problem> {
        let id = LabelId(new_id.as_u128());
        let made =
            self.content
                .create_label(organization(caller), Some(user(caller)), id, &body.name);
        Ok(view::label(made.await?))
    }

    async fn delete_label(&self, caller: &Caller, id: Uuid) -> Result<(), Problem> {
        let id = LabelId(id.as_u128());
        let deleted = self
            .content
            .delete_label(organization(caller), Some(user(caller)), id);
        Ok(deleted.await?)
    }

    async fn search(
        &self,
        caller: &Caller,
        body: api::SearchRequest,
    ) -> Result<api::SearchResults, Problem> {
        let filter = body.filter.map(search_filter).transpose()?;
        let limit = body.limit.and_then(|limit| u32::try_from(limit).ok());
        let request = SearchRequest {
            query: body.query,
            embedding: body.embedding.map(fields::vector),
            mode: body.mode.map(view::domain_mode),
            limit: limit.unwrap_or(DEFAULT_HITS),
            filter: filter.unwrap_or_default(),
        };
        let hits = self.content.search(organization(caller), request).await;
        let hits = hits.map_err(in_search)?;
        Ok(api::SearchResults {
            data: hits.into_iter().map(view::hit).collect(),
        })
    }
}
