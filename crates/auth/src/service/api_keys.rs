//! Making, seeing and taking back API keys.

use std::time::SystemTime;

use crate::{
    ApiKey, ApiKeyId, Cache, Error, Event, NewApiKey, OrganizationId, Page, Result, Service, Slice,
    UserId,
    ports::{OpaqueTokens, Repository, Sort, Store, Transaction},
    service::Adapters,
    user::check_name,
};

/// What API keys begin with, so that people and scanners recognise them. The id
/// of the key follows in hexadecimal digits, then its secret.
const PREFIX: &str = "ark_";

/// How many digits an id has.
const ID_DIGITS: usize = 32;

/// How much of a key is kept in clear for people to recognise it by.
const SHOWN: usize = PREFIX.len() + 12;

/// Whether a token is or pretends to be an API key: what else there is can be told
/// good from bad without the store.
pub fn is_api_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Which API key a token is of, if it is one at all.
pub(super) fn id_in(token: &str) -> Option<ApiKeyId> {
    let digits = token.strip_prefix(PREFIX)?.get(..ID_DIGITS)?;
    u128::from_str_radix(digits, 16).ok().map(ApiKeyId)
}

impl<A: Adapters> Service<A> {
    /// Makes an API key, and answers it with its token, which is never shown again.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name, no scope, or an end that is past;
    /// [`Error::AlreadyExists`] if the identity is taken: were it by this very request, its
    /// token is lost all the same.
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
        let prefix = format!("{PREFIX}{:0ID_DIGITS$x}_", new.id.0);
        let token = self.opaque_tokens.generate(&prefix);
        let key = ApiKey {
            id: new.id,
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

    /// The API keys of a user in an organization.
    pub async fn api_keys_of(
        &self,
        organization: OrganizationId,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> Result<Page<ApiKey>> {
        self.store.list_api_keys(organization, user, slice).await
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
        if !transaction.delete_api_key(organization, user, id).await? {
            return Err(Error::NotFound);
        }
        let event = Event::ApiKeyDeleted { api_key_id: id };
        transaction
            .record(&self.event(Some(organization), user, event))
            .await?;
        transaction.commit().await?;
        self.forget_api_key(id).await;
        Ok(())
    }

    /// Takes back every API key that a user made in an organization until they left it: were
    /// they to come back, the keys would be good again.
    pub async fn take_back_api_keys(
        &self,
        organization: OrganizationId,
        user: UserId,
        actor: Option<UserId>,
        until: SystemTime,
    ) -> Result<()> {
        let all = Slice {
            limit: u32::MAX - 1,
            after: None,
            sort: Sort::CreatedAt,
            descending: false,
        };
        let transaction = self.store.begin().await?;
        let mut keys = transaction
            .list_api_keys(organization, user, &all)
            .await?
            .items;
        keys.retain(|key| key.created_at <= until);
        for key in &keys {
            if transaction
                .delete_api_key(organization, user, key.id)
                .await?
            {
                let event = Event::ApiKeyDeleted { api_key_id: key.id };
                let event = self.event(Some(organization), actor, event);
                transaction.record(&event).await?;
            }
        }
        transaction.commit().await?;
        for key in keys {
            self.forget_api_key(key.id).await;
        }
        Ok(())
    }

    /// Drops what this node remembers of an API key that was taken back on another node.
    pub async fn forget_api_key(&self, id: ApiKeyId) {
        _ = self.api_keys.remove(&id).await;
    }
}
