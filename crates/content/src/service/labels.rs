//! Labels as things of their own.

use crate::{
    Error, Event, Label, LabelId, LabelSort, OrganizationId, Page, Result, Service, Slice, UserId,
    ports::{Repository, Scope, Store, Transaction},
    rules,
    service::Adapters,
};

/// How many artifacts one transaction takes a label off: enough to be quick,
/// and few enough not to keep other writers waiting.
const BATCH: u32 = 500;

impl<A: Adapters> Service<A> {
    /// Makes a label.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::LabelTaken`]
    pub async fn create_label(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        name: &str,
    ) -> Result<Label> {
        let label = Label {
            id: LabelId(self.ids.next()),
            organization_id: organization,
            name: rules::check_label("name", name)?,
            created_at: self.clock.now(),
        };
        let event = Event::LabelCreated {
            label_id: label.id,
            name: label.name.clone(),
        };
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        transaction.insert_label(organization, &label).await?;
        transaction
            .record(&self.event(organization, actor, event))
            .await?;
        transaction.commit().await?;
        Ok(label)
    }

    /// Lists labels.
    pub async fn list_labels(
        &self,
        organization: OrganizationId,
        slice: &Slice<LabelSort>,
    ) -> Result<Page<Label>> {
        self.store.list_labels(organization, slice).await
    }

    /// Takes a label off every artifact and deletes it. Were it interrupted, the
    /// label is still there, on fewer artifacts, and deleting it again goes on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn delete_label(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: LabelId,
    ) -> Result<()> {
        while !self.delete_label_step(organization, actor, id).await? {}
        Ok(())
    }

    /// Deletes every label of an organization.
    pub(super) async fn delete_labels(&self, organization: OrganizationId) -> Result<()> {
        let first = Slice {
            limit: 100,
            after: None,
            sort: LabelSort::Name,
            descending: false,
        };
        loop {
            let labels = self.store.list_labels(organization, &first).await?.items;
            if labels.is_empty() {
                return Ok(());
            }
            for label in labels {
                match self.delete_label(organization, None, label.id).await {
                    Ok(()) | Err(Error::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Takes a label off some artifacts, and deletes it if that was all. Answers whether it did.
    async fn delete_label_step(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: LabelId,
    ) -> Result<bool> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let changed = transaction
            .take_off_label(organization, id, BATCH, self.clock.now())
            .await?;
        for artifact in &changed {
            let event = Event::ArtifactUpdated {
                artifact_id: artifact.id,
                labels: artifact.labels.clone(),
            };
            transaction
                .record(&self.event(organization, actor, event))
                .await?;
        }
        let last = changed.len() < BATCH as usize;
        if last {
            if !transaction.delete_label(organization, id).await? {
                return Err(Error::NotFound);
            }
            let event = Event::LabelDeleted { label_id: id };
            transaction
                .record(&self.event(organization, actor, event))
                .await?;
        }
        transaction.commit().await?;
        for artifact in &changed {
            self.forget_artifact(organization, artifact.id).await;
        }
        Ok(last)
    }
}
