//! Making, seeing and taking back API keys.

use crate::{
    ApiKey, ApiKeyId, Cache, Error, Event, NewApiKey, OrganizationId, Result, Service, UserId,
    ports::{OpaqueTokens, Repository, Store, Transaction},
    service::Adapters,
    user::check_name,
};

/// What API keys begin with, so that people and scanners recognise them.
pub(super) const API_KEY_PREFIX: &str = "ark_";

/// How much of a key is kept in clear for people to recognise it by.
const SHOWN: usize = API_KEY_PREFIX.len() + 6;

impl<A: Adapters> Service<A> {
    /// Makes an API key, and answers it with its token, which is never shown again.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name, no scope, or an end that is past.
    pub async fn create_api_key(
        &self,
        organization: OrganizationId,
        user: UserId,
        new: NewApiKey,
    ) -> Result<(ApiKey, String)> {
        let now = self.clock.now();
        if new.scopes.is_empty() {
            return Err(Error::Invalid {
                field: "scopes",
                reason: "must name at least one scope",
            });
        }
        if new.expires_at.is_some_and(|at| at <= now) {
            return Err(Error::Invalid {
                field: "expires_at",
                reason: "must lie in the future",
            });
        }
        let mut scopes = new.scopes;
        scopes.sort_unstable();
        scopes.dedup();
        let token = self.opaque_tokens.generate(API_KEY_PREFIX);
        let key = ApiKey {
            id: ApiKeyId(self.ids.next()),
            user_id: user,
            organization_id: organization,
            name: check_name("name", &new.name)?,
            prefix: token.chars().take(SHOWN).collect(),
            scopes,
            created_at: now,
            expires_at: new.expires_at,
        };
        let event = Event::ApiKeyCreated {
            api_key_id: key.id,
            name: key.name.clone(),
        };
        let transaction = self.store.begin().await?;
        transaction
            .insert_api_key(&key, &self.opaque_tokens.digest(&token))
            .await?;
        transaction
            .record(&self.event(Some(organization), user, event))
            .await?;
        transaction.commit().await?;
        Ok((key, token))
    }

    /// The API keys of a user in an organization, newest first.
    pub async fn api_keys_of(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Vec<ApiKey>> {
        self.store.list_api_keys(organization, user).await
    }

    /// Takes an API key back: it is refused from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn delete_api_key(
        &self,
        organization: OrganizationId,
        user: UserId,
        id: ApiKeyId,
    ) -> Result<()> {
        let transaction = self.store.begin().await?;
        let deleted = transaction.delete_api_key(organization, user, id).await?;
        let digest = deleted.ok_or(Error::NotFound)?;
        let event = Event::ApiKeyDeleted { api_key_id: id };
        transaction
            .record(&self.event(Some(organization), user, event))
            .await?;
        transaction.commit().await?;
        _ = self.api_keys.remove(&digest).await;
        Ok(())
    }
}
