//! Seeing and ending sessions.

use crate::{
    Cache, Error, Event, Page, Result, Service, Session, SessionId, Slice, UserId,
    ports::{Repository, Sort, Store, Transaction},
    service::Adapters,
};

/// How many expired sessions one transaction deletes.
const SWEPT_AT_ONCE: u32 = 100;

impl<A: Adapters> Service<A> {
    /// The live sessions of a user.
    pub async fn sessions_of(&self, user: UserId, slice: &Slice<Sort>) -> Result<Page<Session>> {
        let now = self.clock.now();
        self.store.list_sessions(user, now, slice).await
    }

    /// Ends a session of a user: its tokens are refused from now on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the user has no such session.
    pub async fn revoke_session(&self, user: UserId, session: SessionId) -> Result<()> {
        let found = self.store.find_session(session).await?;
        match found.filter(|session| session.user_id == user) {
            Some(session) => self.end_session(&session, "revoked").await,
            None => Err(Error::NotFound),
        }
    }

    /// Ends the session that asks for it. It is no error if it has ended already.
    pub async fn logout(&self, session: SessionId) -> Result<()> {
        match self.store.find_session(session).await? {
            Some(session) => self.end_session(&session, "logout").await,
            None => Ok(()),
        }
    }

    /// Deletes the sessions that ended by themselves, and answers how many.
    pub async fn sweep_sessions(&self) -> Result<u64> {
        let now = self.clock.now();
        let mut swept = 0;
        loop {
            let expired = self.store.list_expired_sessions(now, SWEPT_AT_ONCE).await?;
            if expired.is_empty() {
                return Ok(swept);
            }
            let transaction = self.store.begin().await?;
            for session in &expired {
                self.delete_session(&transaction, session, None, "expired")
                    .await?;
            }
            transaction.commit().await?;
            swept += expired.len() as u64;
        }
    }

    /// Drops what this node remembers of a session that ended or changed on another node.
    pub async fn forget_session(&self, session: SessionId) {
        _ = self.sessions.remove(&session).await;
    }

    pub(super) async fn end_session(&self, session: &Session, reason: &str) -> Result<()> {
        let transaction = self.store.begin().await?;
        self.delete_session(&transaction, session, Some(session.user_id), reason)
            .await?;
        transaction.commit().await?;
        self.forget_session(session.id).await;
        Ok(())
    }

    /// Deletes a session as part of a transaction, and says why, if it is still there.
    pub(super) async fn delete_session(
        &self,
        transaction: &impl Transaction,
        session: &Session,
        actor: Option<UserId>,
        reason: &str,
    ) -> Result<()> {
        if !transaction.delete_session(session.id).await? {
            return Ok(());
        }
        let event = Event::SessionRevoked {
            session_id: session.id,
            user_id: session.user_id,
            reason: reason.to_owned(),
        };
        let event = self.event(None, actor, event);
        transaction.record(&event).await
    }
}
