//! What users see and change of themselves.

use std::fmt;

use crate::{
    Cache, Error, Event, Result, Service, SessionId, Slice, User, UserId,
    ports::{Passwords, Repository, Sort, Store, Transaction},
    read_through,
    service::{Adapters, sign_in::still_has},
    user::{check_name, check_password},
};

/// How many sessions are read at once to be ended.
const ENDED_AT_ONCE: u32 = 100;

/// What a user wants changed; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChanges {
    /// What to call them.
    pub name: Option<String>,
}

/// A change of password.
pub struct PasswordChange {
    /// The password so far, in clear.
    pub current: String,
    /// The password from now on, in clear.
    pub new: String,
}

impl fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordChange").finish_non_exhaustive()
    }
}

impl<A: Adapters> Service<A> {
    /// Finds a user, asking the cache first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn user(&self, id: UserId) -> Result<User> {
        let ttl = self.settings.cache_ttl;
        let user = read_through(&self.users, &id, ttl, || self.store.find_user(id));
        user.await?.ok_or(Error::NotFound)
    }

    /// Finds several users; those that do not exist are left out.
    pub async fn users_by_id(&self, ids: &[UserId]) -> Result<Vec<User>> {
        self.store.find_users(ids).await
    }

    /// Changes a user, if the stored version is one of those expected.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::NotFound`] or [`Error::VersionConflict`]
    pub async fn update_user(
        &self,
        id: UserId,
        expected: Option<&[u64]>,
        changes: UserChanges,
    ) -> Result<User> {
        let mut user = self.store.find_user(id).await?.ok_or(Error::NotFound)?;
        if expected.is_some_and(|expected| !expected.contains(&user.version)) {
            return Err(Error::VersionConflict);
        }
        if let Some(name) = changes.name {
            user.name = check_name("name", &name)?;
        }
        user.version += 1;
        user.updated_at = self.clock.now();
        let transaction = self.store.begin().await?;
        transaction.update_user(&user).await?;
        let event = Event::UserUpdated { user_id: id };
        transaction.record(&self.event(None, id, event)).await?;
        transaction.commit().await?;
        self.forget_user(id).await;
        Ok(user)
    }

    /// Changes a user's password and ends their other sessions.
    ///
    /// # Errors
    ///
    /// [`Error::WrongCredentials`] if the current password is not that, [`Error::Invalid`]
    pub async fn change_password(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        change: PasswordChange,
    ) -> Result<()> {
        check_password("new_password", &change.new)?;
        let old = self.store.find_password_hash(user).await?;
        let right = self.passwords.verify(&change.current, old.as_deref());
        if !right.await? {
            return Err(Error::WrongCredentials);
        }
        let hash = self.passwords.hash(&change.new).await?;
        let transaction = self.store.begin().await?;
        still_has(&transaction, user, old.as_deref()).await?;
        transaction.update_password_hash(user, &hash).await?;
        let event = Event::UserPasswordChanged { user_id: user };
        transaction.record(&self.event(None, user, event)).await?;
        let ended = self.end_others(&transaction, user, keep).await?;
        transaction.commit().await?;
        for session in ended {
            self.forget_session(session).await;
        }
        Ok(())
    }

    /// Ends the sessions of a user but one, after a change of password.
    async fn end_others(
        &self,
        transaction: &impl Transaction,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<Vec<SessionId>> {
        let now = self.clock.now();
        let mut slice = Slice {
            limit: ENDED_AT_ONCE,
            after: None,
            sort: Sort::CreatedAt,
            descending: false,
        };
        let mut ended = Vec::new();
        loop {
            let page = transaction.list_sessions(user, now, &slice).await?;
            let others = page.items.iter().filter(|other| Some(other.id) != keep);
            for other in others {
                self.delete_session(transaction, other, Some(user), "password_changed")
                    .await?;
                ended.push(other.id);
            }
            slice.after = page.next;
            if slice.after.is_none() {
                return Ok(ended);
            }
        }
    }

    /// Drops what this node remembers of a user who changed on another node.
    pub async fn forget_user(&self, id: UserId) {
        _ = self.users.remove(&id).await;
    }
}
