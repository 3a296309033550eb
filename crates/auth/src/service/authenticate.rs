//! Telling who a request comes from. Every request passes here, so what is
//! remembered is not asked for again.

use crate::{
    ApiKey, Cache, Error, Identity, Result, Service, Session, SessionId,
    ports::{AccessTokens, OpaqueTokens, Repository, TokenDigest},
    service::{Adapters, api_keys::API_KEY_PREFIX},
};

impl<A: Adapters> Service<A> {
    /// Tells who a bearer token speaks for: an access token whose session is
    /// alive, or an API key.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`]
    pub async fn authenticate(&self, token: &str) -> Result<Identity> {
        if token.starts_with(API_KEY_PREFIX) {
            return self.authenticate_api_key(token).await;
        }
        let claims = self.access_tokens.verify(token, self.clock.now())?;
        let session = self.live_session(claims.sid).await?;
        if session.user_id != claims.sub {
            return Err(Error::InvalidToken);
        }
        Ok(Identity {
            user_id: session.user_id,
            organization_id: claims.organization_id,
            session_id: Some(session.id),
            api_key_id: None,
            scopes: None,
        })
    }

    async fn live_session(&self, id: SessionId) -> Result<Session> {
        let session = match self.sessions.get(&id).await {
            Ok(Some(session)) => session,
            _ => self.stored_session(id).await?,
        };
        if session.expires_at <= self.clock.now() {
            return Err(Error::InvalidToken);
        }
        Ok(session)
    }

    async fn stored_session(&self, id: SessionId) -> Result<Session> {
        let session = self.store.find_session(id).await?;
        let session = session.ok_or(Error::InvalidToken)?;
        self.remember_session(&session).await?;
        Ok(session)
    }

    async fn authenticate_api_key(&self, token: &str) -> Result<Identity> {
        let digest = self.opaque_tokens.digest(token);
        let key = if let Ok(Some(key)) = self.api_keys.get(&digest).await {
            key
        } else {
            self.stored_api_key(&digest).await?
        };
        if self.is_expired(&key) {
            return Err(Error::InvalidToken);
        }
        Ok(Identity {
            user_id: key.user_id,
            organization_id: key.organization_id,
            session_id: None,
            api_key_id: Some(key.id),
            scopes: Some(key.scopes),
        })
    }

    async fn stored_api_key(&self, digest: &TokenDigest) -> Result<ApiKey> {
        let key = self.store.find_api_key_by_token(digest).await?;
        let key = key.ok_or(Error::InvalidToken)?;
        let ttl = self.settings.cache_ttl;
        _ = self.api_keys.put(digest, &key, ttl).await;
        // As for sessions: it may have been taken back between the two.
        if self.store.find_api_key_by_token(digest).await?.is_none() {
            _ = self.api_keys.remove(digest).await;
            return Err(Error::InvalidToken);
        }
        Ok(key)
    }

    fn is_expired(&self, key: &ApiKey) -> bool {
        key.expires_at.is_some_and(|at| at <= self.clock.now())
    }
}
