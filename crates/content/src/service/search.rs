//! Finding passages.

use std::collections::HashMap;

use crate::{
    Error, Hit, ModelInfo, OrganizationId, Result, SearchFilter, SearchMode, SearchRequest,
    Service,
    chunk::to_unit,
    ports::{Embedder, Repository},
    rules,
    service::Adapters,
};

/// The most hits of one search.
const MAX_HITS: u32 = 100;

/// The longest query, in characters.
const MAX_QUERY: usize = 10_000;

/// How far down each ranking is looked at when they are fused.
const FUSION_DEPTH: u32 = 100;

/// The constant that keeps the first ranks from outweighing all others: 60 in
/// Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and
/// individual Rank Learning Methods, SIGIR 2009.
const FUSION_K: f64 = 60.0;

/// A search whose parts are known to be well-formed.
struct Plan {
    mode: SearchMode,
    query: Option<String>,
    embedding: Option<Vec<f32>>,
    limit: u32,
    filter: SearchFilter,
}

impl<A: Adapters> Service<A> {
    /// Finds passages, the best first: as many as asked for, where there are so
    /// many that can be found in the mode.
    ///
    /// Semantic search ranks every passage that has an embedding of the model in
    /// use. Keyword search ranks the passages that have one of the words. Hybrid
    /// search takes the first 100 of each ranking and scores a passage by the sum
    /// of 1 / (60 + rank) over the rankings it is in, the rank counted from 1;
    /// without a model that takes the query, and without an embedding given, it goes
    /// by the words alone.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]; [`Error::NoModel`] and [`Error::TextRefused`] for a semantic search by a query;
    /// [`Error::Dimensions`] for an embedding that cannot be compared.
    pub async fn search(
        &self,
        organization: OrganizationId,
        request: SearchRequest,
    ) -> Result<Vec<Hit>> {
        let plan = plan(request)?;
        match plan.mode {
            SearchMode::Semantic => self.semantic(organization, &plan, plan.limit).await,
            SearchMode::Keyword => self.keyword(organization, &plan, plan.limit).await,
            SearchMode::Hybrid => {
                let words = self.keyword(organization, &plan, FUSION_DEPTH).await?;
                let meaning = match self.semantic(organization, &plan, FUSION_DEPTH).await {
                    Err(Error::NoModel | Error::TextRefused { .. }) => Vec::new(),
                    meaning => meaning?,
                };
                Ok(fuse([meaning, words], plan.limit))
            }
        }
    }

    async fn keyword(
        &self,
        organization: OrganizationId,
        plan: &Plan,
        limit: u32,
    ) -> Result<Vec<Hit>> {
        let query = plan.query.as_deref().unwrap_or_default();
        self.store
            .search_keyword(organization, query, &plan.filter, limit)
            .await
    }

    async fn semantic(
        &self,
        organization: OrganizationId,
        plan: &Plan,
        limit: u32,
    ) -> Result<Vec<Hit>> {
        let (model, embedding) = match (&plan.embedding, &plan.query) {
            (Some(embedding), _) => {
                let Some(model) = self.model_for(organization, embedding).await? else {
                    return Ok(Vec::new());
                };
                (model, embedding.clone())
            }
            (None, query) => {
                let query = query.clone().unwrap_or_default();
                let (model, mut vectors) = self.embed(vec![query]).await?;
                (model, vectors.pop().unwrap_or_default())
            }
        };
        self.store
            .search_semantic(organization, &model, &embedding, &plan.filter, limit)
            .await
    }

    /// The model whose embeddings a given one is compared with: the one in use,
    /// or, where there is none, the most used one of as many dimensions. `None`
    /// where nothing was ever embedded.
    async fn model_for(
        &self,
        organization: OrganizationId,
        embedding: &[f32],
    ) -> Result<Option<ModelInfo>> {
        let models = match self.embedder.model() {
            Some(model) => vec![model],
            None => self.store.list_models(organization).await?,
        };
        let Some(first) = models.first() else {
            return Ok(None);
        };
        let expected = first.dimensions;
        models
            .into_iter()
            .find(|model| model.dimensions as usize == embedding.len())
            .map(Some)
            .ok_or(Error::Dimensions { expected })
    }
}

fn plan(request: SearchRequest) -> Result<Plan> {
    if !(1..=MAX_HITS).contains(&request.limit) {
        return Err(invalid("limit", "must be 1 to 100"));
    }
    let query = request.query.as_deref().map(check_query).transpose()?;
    let embedding = request.embedding.map(check_embedding).transpose()?;
    let by_words = query.is_some();
    if !by_words && embedding.is_none() {
        return Err(invalid("query", "must be given, or an embedding"));
    }
    let mode = request.mode.unwrap_or(if by_words {
        SearchMode::Hybrid
    } else {
        SearchMode::Semantic
    });
    if !by_words && mode != SearchMode::Semantic {
        return Err(invalid("query", "must be given to search by words"));
    }
    Ok(Plan {
        mode,
        query,
        embedding,
        limit: request.limit,
        filter: rules::check_search_filter(request.filter)?,
    })
}

fn check_query(query: &str) -> Result<String> {
    let query = query.trim();
    if query.is_empty() || query.chars().count() > MAX_QUERY {
        return Err(invalid("query", "must have 1 to 10000 characters"));
    }
    Ok(query.replace('\0', " "))
}

fn check_embedding(embedding: Vec<f32>) -> Result<Vec<f32>> {
    to_unit(embedding).ok_or_else(|| {
        invalid(
            "embedding",
            "must be numbers that are finite and not all zero",
        )
    })
}

const fn invalid(field: &'static str, reason: &'static str) -> Error {
    Error::Invalid { field, reason }
}

/// Fuses rankings by the sum of reciprocal ranks; equal sums in the order of the ids.
fn fuse(rankings: [Vec<Hit>; 2], limit: u32) -> Vec<Hit> {
    let mut fused = HashMap::new();
    for ranking in rankings {
        for (hit, rank) in ranking.into_iter().zip(1..) {
            let score = 1.0 / (FUSION_K + f64::from(rank));
            let id = hit.chunk_id;
            let entry = fused.entry(id).or_insert(Hit { score: 0.0, ..hit });
            entry.score += score;
        }
    }
    let mut hits: Vec<Hit> = fused.into_values().collect();
    hits.sort_unstable_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.chunk_id.cmp(&b.chunk_id))
    });
    hits.truncate(limit as usize);
    hits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArtifactId, ChunkId};

    fn hit(id: u128) -> Hit {
        Hit {
            artifact_id: ArtifactId(1),
            artifact_name: String::new(),
            chunk_id: ChunkId(id),
            text: String::new(),
            score: 0.5,
            position: 0,
        }
    }

    fn request(query: Option<&str>, embedding: Option<Vec<f32>>) -> SearchRequest {
        SearchRequest {
            query: query.map(str::to_owned),
            embedding,
            ..SearchRequest::default()
        }
    }

    #[test]
    fn what_both_rankings_have_comes_first() {
        let hits = fuse([vec![hit(1), hit(2)], vec![hit(3), hit(2)]], 10);
        let ids: Vec<_> = hits.iter().map(|hit| hit.chunk_id.0).collect();
        assert_eq!(ids, [2, 1, 3]);
        assert!((hits[0].score - 2.0 / 62.0).abs() < 1e-12);
        assert!((hits[1].score - 1.0 / 61.0).abs() < 1e-12);
    }

    #[test]
    fn fusing_keeps_to_the_limit() {
        assert_eq!(fuse([vec![hit(1), hit(2)], vec![hit(3)]], 2).len(), 2);
    }

    #[test]
    fn the_mode_follows_from_what_is_given() {
        let mode = |request| plan(request).expect("fine").mode;
        assert_eq!(mode(request(Some("a"), None)), SearchMode::Hybrid);
        assert_eq!(mode(request(None, Some(vec![1.0]))), SearchMode::Semantic);
    }

    #[test]
    fn what_cannot_be_searched_for_is_refused() {
        for bad in [
            request(None, None),
            request(Some("  "), None),
            request(None, Some(vec![0.0, 0.0])),
            request(None, Some(Vec::new())),
            SearchRequest {
                limit: 0,
                ..request(Some("a"), None)
            },
            SearchRequest {
                limit: 101,
                ..request(Some("a"), None)
            },
            SearchRequest {
                mode: Some(SearchMode::Keyword),
                ..request(None, Some(vec![1.0]))
            },
        ] {
            assert!(matches!(plan(bad), Err(Error::Invalid { .. })));
        }
    }
}
