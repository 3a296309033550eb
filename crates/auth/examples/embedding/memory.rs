//! What auth keeps, in memory: for the example, and for the tests of the rules.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use archesai_auth::{
    ApiKey, ApiKeyId, CursorKey, Email, Error, OrganizationId, Page, Recorded, Result, Session,
    SessionId, SigningKeyId, Slice, User, UserId,
    ports::{Repository, SigningKey, Sort, Store, TokenDigest, Transaction, cursor},
};

/// Everything that auth keeps. A transaction is another of these, with a copy of
/// the tables that replaces the original when it commits.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    tables: Arc<Mutex<Tables>>,
    turn: Arc<tokio::sync::Mutex<()>>,
    open: Option<Arc<Open>>,
}

/// What a transaction has besides its copy.
struct Open {
    original: Arc<Mutex<Tables>>,
    /// One transaction at a time.
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

#[derive(Clone, Default)]
struct Tables {
    users: HashMap<UserId, (User, String)>,
    sessions: HashMap<SessionId, (Session, TokenDigest)>,
    spent: HashMap<TokenDigest, SessionId>,
    api_keys: HashMap<ApiKeyId, (ApiKey, TokenDigest)>,
    signing_keys: Vec<SigningKey>,
    events: Vec<Recorded>,
}

impl Tables {
    /// Writes a session's new token, and keeps the old one as spent.
    fn replace(&mut self, session: &Session, new: &TokenDigest) -> bool {
        let row = (session.clone(), *new);
        match self.sessions.insert(session.id, row) {
            Some((_, old)) => self.spent.insert(old, session.id).is_none(),
            None => self.sessions.remove(&session.id).is_none(),
        }
    }
}

impl Memory {
    /// What happened so far, oldest first.
    pub(crate) fn events(&self) -> Vec<Recorded> {
        self.tables().events.clone()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().expect("nobody panics in here")
    }

    fn sessions(&self, wanted: impl Fn(&Session) -> bool) -> Vec<Session> {
        let tables = self.tables();
        let sessions = tables.sessions.values().map(|(session, _)| session);
        sessions
            .filter(|session| wanted(session))
            .cloned()
            .collect()
    }
}

/// A slice of a list, in the order of when things came into being and of their ids.
fn page<T>(
    mut items: Vec<T>,
    slice: &Slice<Sort>,
    place: impl Fn(&T) -> (SystemTime, u128),
) -> Page<T> {
    items.sort_by_key(&place);
    if slice.descending {
        items.reverse();
    }
    if let Some(after) = &slice.after
        && let CursorKey::Time(time) = after.key
    {
        let last = (time, after.id);
        items.retain(|item| place(item) != last && (place(item) < last) == slice.descending);
    }
    Page::from_rows(items, slice.limit, |last| {
        let (time, id) = place(last);
        cursor(time, id)
    })
}

impl Repository for Memory {
    async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        Ok(self.tables().users.get(&id).map(|(user, _)| user.clone()))
    }

    async fn find_user_by_email(&self, email: &Email) -> Result<Option<User>> {
        let tables = self.tables();
        let mut users = tables.users.values().map(|(user, _)| user);
        Ok(users.find(|user| user.email == *email).cloned())
    }

    async fn find_users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let tables = self.tables();
        let users = ids.iter().filter_map(|id| tables.users.get(id));
        Ok(users.map(|(user, _)| user.clone()).collect())
    }

    async fn find_password_hash(&self, id: UserId) -> Result<Option<String>> {
        Ok(self.tables().users.get(&id).map(|(_, hash)| hash.clone()))
    }

    async fn lock_user(&self, _id: UserId) -> Result<()> {
        Ok(())
    }

    async fn insert_user(&self, user: &User, password_hash: &str) -> Result<()> {
        if self.find_user(user.id).await?.is_some() {
            return Err(Error::AlreadyExists);
        }
        if self.find_user_by_email(&user.email).await?.is_some() {
            return Err(Error::EmailTaken);
        }
        let row = (user.clone(), password_hash.to_owned());
        self.tables().users.insert(user.id, row);
        Ok(())
    }

    async fn update_user(&self, user: &User) -> Result<()> {
        match self.tables().users.get_mut(&user.id) {
            Some((stored, _)) if stored.version + 1 == user.version => {
                *stored = user.clone();
                Ok(())
            }
            _ => Err(Error::VersionConflict),
        }
    }

    async fn update_password_hash(&self, id: UserId, password_hash: &str) -> Result<()> {
        if let Some((_, hash)) = self.tables().users.get_mut(&id) {
            password_hash.clone_into(hash);
        }
        Ok(())
    }

    async fn insert_session(&self, session: &Session, token: &TokenDigest) -> Result<()> {
        let row = (session.clone(), *token);
        self.tables().sessions.insert(session.id, row);
        Ok(())
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        let tables = self.tables();
        Ok(tables.sessions.get(&id).map(|(session, _)| session.clone()))
    }

    async fn find_session_by_token(&self, token: &TokenDigest) -> Result<Option<Session>> {
        let tables = self.tables();
        let mut rows = tables.sessions.values();
        let row = rows.find(|(_, known)| known == token);
        Ok(row.map(|(session, _)| session.clone()))
    }

    async fn find_session_by_spent_token(&self, token: &TokenDigest) -> Result<Option<Session>> {
        let spent = self.tables().spent.get(token).copied();
        match spent {
            Some(session) => self.find_session(session).await,
            None => Ok(None),
        }
    }

    async fn rotate_session_token(
        &self,
        session: &Session,
        old: &TokenDigest,
        new: &TokenDigest,
    ) -> Result<bool> {
        let mut tables = self.tables();
        let stored = tables.sessions.get(&session.id);
        let newest = stored.is_some_and(|(_, token)| token == old);
        Ok(newest && tables.replace(session, new))
    }

    async fn switch_session(&self, session: &Session, new: &TokenDigest) -> Result<bool> {
        let mut tables = self.tables();
        let known = tables.sessions.contains_key(&session.id);
        Ok(known && tables.replace(session, new))
    }

    async fn list_sessions(
        &self,
        user: UserId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> Result<Page<Session>> {
        let live = self.sessions(|found| found.user_id == user && found.expires_at > now);
        Ok(page(live, slice, |one| (one.created_at, one.id.0)))
    }

    async fn delete_session(&self, id: SessionId) -> Result<bool> {
        let mut tables = self.tables();
        tables.spent.retain(|_, session| *session != id);
        Ok(tables.sessions.remove(&id).is_some())
    }

    async fn list_expired_sessions(&self, now: SystemTime, limit: u32) -> Result<Vec<Session>> {
        let mut expired = self.sessions(|session| session.expires_at <= now);
        expired.truncate(limit as usize);
        Ok(expired)
    }

    async fn insert_api_key(&self, key: &ApiKey, token: &TokenDigest) -> Result<()> {
        let mut tables = self.tables();
        if tables.api_keys.contains_key(&key.id) {
            return Err(Error::AlreadyExists);
        }
        tables.api_keys.insert(key.id, (key.clone(), *token));
        Ok(())
    }

    async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<(ApiKey, TokenDigest)>> {
        Ok(self.tables().api_keys.get(&id).cloned())
    }

    async fn list_api_keys(
        &self,
        organization: OrganizationId,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> Result<Page<ApiKey>> {
        let tables = self.tables();
        let keys = tables.api_keys.values().map(|(key, _)| key);
        let of_user = |key: &&ApiKey| key.organization_id == organization && key.user_id == user;
        let keys = keys.filter(of_user).cloned().collect();
        Ok(page(keys, slice, |key| (key.created_at, key.id.0)))
    }

    async fn delete_api_key(
        &self,
        organization: OrganizationId,
        user: UserId,
        id: ApiKeyId,
    ) -> Result<bool> {
        let mut tables = self.tables();
        let found = tables
            .api_keys
            .get(&id)
            .is_some_and(|(key, _)| key.organization_id == organization && key.user_id == user);
        Ok(found && tables.api_keys.remove(&id).is_some())
    }

    async fn insert_signing_key(&self, key: &SigningKey) -> Result<()> {
        let keys = &mut self.tables().signing_keys;
        if keys.iter().all(|there| there.id != key.id) {
            keys.push(key.clone());
            keys.sort_by_key(|key| (key.created_at, key.id));
        }
        Ok(())
    }

    async fn reseal_signing_key(&self, id: SigningKeyId, sealed_private_key: &[u8]) -> Result<()> {
        let mut tables = self.tables();
        let key = tables.signing_keys.iter_mut().find(|key| key.id == id);
        if let Some(key) = key {
            key.sealed_private_key = sealed_private_key.to_vec();
        }
        Ok(())
    }

    async fn list_signing_keys(&self) -> Result<Vec<SigningKey>> {
        Ok(self.tables().signing_keys.clone())
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.tables().events.push(event.clone());
        Ok(())
    }
}

impl Store for Memory {
    type Transaction = Self;

    async fn begin(&self) -> Result<Self> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let copy = self.tables().clone();
        Ok(Self {
            tables: Arc::new(Mutex::new(copy)),
            turn: Arc::clone(&self.turn),
            open: Some(Arc::new(Open {
                original: Arc::clone(&self.tables),
                _turn: turn,
            })),
        })
    }
}

impl Transaction for Memory {
    async fn commit(self) -> Result<()> {
        if let Some(open) = &self.open {
            let changed = self.tables().clone();
            *open.original.lock().expect("nobody panics in here") = changed;
        }
        Ok(())
    }
}
