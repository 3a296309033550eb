//! Passages that somebody else split off, such as a step of a pipeline.

use crate::{
    ArtifactId, Chunk, Error, OrganizationId, Result, Service, UserId,
    ports::{NewIndex, Passage},
    service::Adapters,
};

/// The most passages that are taken at once.
const MAX_PASSAGES: usize = 10_000;

impl<A: Adapters> Service<A> {
    /// Replaces the passages of an artifact by these, embedded, and its text by the
    /// one they are from, where that is given. The artifact counts as indexed then,
    /// and indexing that is under way is refused.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::NoModel`]; [`Error::TextRefused`];
    /// [`Error::Invalid`] for too many passages or one without text.
    pub async fn store_passages(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: ArtifactId,
        text: Option<String>,
        mut passages: Vec<Passage>,
    ) -> Result<Vec<Chunk>> {
        check(&passages)?;
        self.artifact(organization, id).await?;
        for passage in &mut passages {
            passage.text = passage.text.replace('\0', " ");
        }
        let texts = passages
            .iter()
            .map(|passage| passage.text.clone())
            .collect();
        let (model, vectors) = self.embed(texts).await?;
        let mut chunks = self.chunks(id, passages);
        for (chunk, vector) in chunks.iter_mut().zip(vectors) {
            chunk.embedding = Some(vector);
        }
        let index = NewIndex {
            fence: None,
            text: text.map(|text| text.replace('\0', " ")),
            chunks,
            model: Some(model),
        };
        if !self.replace_chunks(organization, actor, id, &index).await? {
            return Err(Error::NotFound);
        }
        Ok(index.chunks)
    }
}

fn check(passages: &[Passage]) -> Result<()> {
    let reason = if passages.len() > MAX_PASSAGES {
        "must be 10000 at most"
    } else if passages
        .iter()
        .any(|passage| passage.text.trim().is_empty())
    {
        "must each have a text"
    } else {
        return Ok(());
    };
    Err(Error::Invalid {
        field: "passages",
        reason,
    })
}
