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
    /// Makes a label; answers the one that the organization has already under this identity.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]; [`Error::LabelTaken`]; [`Error::AlreadyExists`] if the
    /// identity is that of a label elsewhere.
    pub async fn create_label(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        id: LabelId,
        name: &str,
    ) -> Result<Label> {
        let label = Label {
            id,
            organization_id: organization,
            name: rules::check_label("name", name)?,
            created_at: self.clock.now(),
        };
        let event = Event::LabelCreated {
            label_id: label.id,
            name: label.name.clone(),
        };
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        match transaction.insert_label(organization, &label).await {
            Err(Error::AlreadyExists) => {
                drop(transaction);
                let found = self.store.find_label(organization, id).await?;
                return found.ok_or(Error::AlreadyExists);
            }
            inserted => inserted?,
        }
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
