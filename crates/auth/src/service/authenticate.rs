//! Telling who a request comes from. Every request passes here, so what is
//! remembered is not asked for again.

use crate::{
    Error, Identity, Result, Service, Session, SessionId,
    ports::{AccessTokens, OpaqueTokens, Repository},
    read_through,
    service::{Adapters, api_keys},
};

impl<A: Adapters> Service<A> {
    /// Tells who a bearer token speaks for: an access token whose session is
    /// alive, or an API key.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidToken`]
    pub async fn authenticate(&self, token: &str) -> Result<Identity> {
        if api_keys::is_api_key(token) {
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
        let ttl = self.settings.cache_ttl;
        let session = read_through(&self.sessions, &id, ttl, || self.store.find_session(id));
        let session = session.await?.ok_or(Error::InvalidToken)?;
        if session.expires_at <= self.clock.now() {
            return Err(Error::InvalidToken);
        }
        Ok(session)
    }

    async fn authenticate_api_key(&self, token: &str) -> Result<Identity> {
        let id = api_keys::id_in(token).ok_or(Error::InvalidToken)?;
        let ttl = self.settings.cache_ttl;
        let found = read_through(&self.api_keys, &id, ttl, || self.store.find_api_key(id));
        let (key, digest) = found.await?.ok_or(Error::InvalidToken)?;
        let expired = key.expires_at.is_some_and(|at| at <= self.clock.now());
        if expired || self.opaque_tokens.digest(token) != digest {
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
}
