//! The tables of auth.

use std::time::SystemTime;

use archesai_auth::{
    ApiKey, ApiKeyId, Cursor, CursorKey, Email, Error, OrganizationId, Page, Recorded, Result,
    Scope, Session, SessionId, SigningKeyId, Slice, User, UserId,
    ports::{Repository, SigningKey, Sort, Store, TokenDigest, Transaction, cursor},
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::{
    errand::{Link, read, together, write},
    events::new_event,
    lend::{Lend, Open, Pooled, Postgres},
    lists::sliced,
    schema::{api_keys, sessions, signing_keys, spent_tokens, users},
    session::Scope as For,
    sql::Prepared,
    types::{Count, Digest, Id, Time, Word},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users)]
struct UserRow {
    id: Id,
    email: String,
    name: String,
    version: Count<u64>,
    created_at: Time,
    updated_at: Time,
}

impl TryFrom<UserRow> for User {
    type Error = Error;

    fn try_from(row: UserRow) -> Result<Self> {
        Ok(Self {
            id: UserId(row.id.0),
            email: Email::parse(&row.email).map_err(Error::unavailable)?,
            name: row.name,
            version: row.version.0,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
struct SessionRow {
    id: Id,
    user_id: Id,
    active_organization_id: Id,
    user_agent: Option<String>,
    created_at: Time,
    refreshed_at: Time,
    expires_at: Time,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: SessionId(row.id.0),
            user_id: UserId(row.user_id.0),
            active_organization_id: OrganizationId(row.active_organization_id.0),
            user_agent: row.user_agent,
            created_at: row.created_at.0,
            refreshed_at: row.refreshed_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: Id,
    user_id: Id,
    organization_id: Id,
    name: String,
    prefix: String,
    scopes: Vec<Word<Scope>>,
    created_at: Time,
    expires_at: Option<Time>,
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: ApiKeyId(row.id.0),
            user_id: UserId(row.user_id.0),
            organization_id: OrganizationId(row.organization_id.0),
            name: row.name,
            prefix: row.prefix,
            scopes: row.scopes.into_iter().map(|scope| scope.0).collect(),
            created_at: row.created_at.0,
            expires_at: row.expires_at.map(|time| time.0),
        }
    }
}

/// Users and their sessions belong to no tenant.
const USERS: For = For::Nobody;

impl<L: Lend> Repository for Postgres<L> {
    async fn find_user(&self, id: UserId) -> Result<Option<User>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<UserRow> = users::table
                .find(Id(id.0))
                .select(UserRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(User::try_from).transpose()?)
        };
        self.0.run(read(USERS), find).await
    }

    async fn find_user_by_email(&self, email: &Email) -> Result<Option<User>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<UserRow> = users::table
                .filter(users::email.eq(email.to_string()))
                .select(UserRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(User::try_from).transpose()?)
        };
        self.0.run(read(USERS), find).await
    }

    async fn find_users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let find = async |mut link: Link<'_>| {
            let ids: Vec<Id> = ids.iter().map(|id| Id(id.0)).collect();
            let rows: Vec<UserRow> = users::table
                .filter(users::id.eq_any(ids))
                .select(UserRow::as_select())
                .load(&mut link)
                .await?;
            let users: Result<_> = rows.into_iter().map(User::try_from).collect();
            Ok(users?)
        };
        self.0.run(read(USERS), find).await
    }

    async fn find_password_hash(&self, id: UserId) -> Result<Option<String>> {
        let find = async |mut link: Link<'_>| {
            let hash: Option<Option<String>> = users::table
                .find(Id(id.0))
                .select(users::password_hash)
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(hash.flatten())
        };
        self.0.run(read(USERS), find).await
    }

    async fn lock_user(&self, id: UserId) -> Result<()> {
        let lock = async |mut link: Link<'_>| {
            users::table
                .find(Id(id.0))
                .select(users::id)
                .for_no_key_update()
                .execute(&mut link)
                .await?;
            Ok(())
        };
        self.0.run(write(USERS), lock).await
    }

    async fn insert_user(&self, user: &User, password_hash: &str) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            let inserted = diesel::insert_into(users::table)
                .values((
                    users::id.eq(Id(user.id.0)),
                    users::email.eq(user.email.to_string()),
                    users::name.eq(&user.name),
                    users::password_hash.eq(password_hash),
                    users::version.eq(Count(user.version)),
                    users::created_at.eq(Time(user.created_at)),
                    users::updated_at.eq(Time(user.updated_at)),
                ))
                .on_conflict_do_nothing()
                .execute(&mut link)
                .await?;
            if inserted == 1 {
                return Ok(());
            }
            let same: Option<Id> = users::table
                .find(Id(user.id.0))
                .select(users::id)
                .get_result(&mut link)
                .await
                .optional()?;
            Err(same
                .map_or(Error::EmailTaken, |_| Error::AlreadyExists)
                .into())
        };
        self.0.run(together(USERS), insert).await
    }

    async fn update_user(&self, user: &User) -> Result<()> {
        let update = async |mut link: Link<'_>| {
            let before = users::table
                .find(Id(user.id.0))
                .filter(users::version.eq(Count(user.version - 1)));
            let update = diesel::update(before).set((
                users::name.eq(&user.name),
                users::version.eq(Count(user.version)),
                users::updated_at.eq(Time(user.updated_at)),
            ));
            match Prepared(update).execute(&mut link).await? {
                0 => Err(Error::VersionConflict.into()),
                _ => Ok(()),
            }
        };
        self.0.run(write(USERS), update).await
    }

    async fn update_password_hash(&self, id: UserId, password_hash: &str) -> Result<()> {
        let update = async |mut link: Link<'_>| {
            let update = diesel::update(users::table.find(Id(id.0)))
                .set(users::password_hash.eq(password_hash));
            Prepared(update).execute(&mut link).await?;
            Ok(())
        };
        self.0.run(write(USERS), update).await
    }

    async fn insert_session(&self, session: &Session, token: &TokenDigest) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            diesel::insert_into(sessions::table)
                .values((
                    sessions::id.eq(Id(session.id.0)),
                    sessions::token.eq(Digest(*token)),
                    sessions::user_id.eq(Id(session.user_id.0)),
                    sessions::active_organization_id.eq(Id(session.active_organization_id.0)),
                    sessions::user_agent.eq(&session.user_agent),
                    sessions::created_at.eq(Time(session.created_at)),
                    sessions::refreshed_at.eq(Time(session.refreshed_at)),
                    sessions::expires_at.eq(Time(session.expires_at)),
                ))
                .execute(&mut link)
                .await?;
            Ok(())
        };
        self.0.run(write(USERS), insert).await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<SessionRow> = sessions::table
                .find(Id(id.0))
                .select(SessionRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Session::from))
        };
        self.0.run(read(USERS), find).await
    }

    async fn find_session_by_token(&self, token: &TokenDigest) -> Result<Option<Session>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<SessionRow> = sessions::table
                .filter(sessions::token.eq(Digest(*token)))
                .select(SessionRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Session::from))
        };
        self.0.run(read(USERS), find).await
    }

    async fn find_session_by_spent_token(&self, token: &TokenDigest) -> Result<Option<Session>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<SessionRow> = sessions::table
                .inner_join(spent_tokens::table)
                .filter(spent_tokens::token.eq(Digest(*token)))
                .select(SessionRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Session::from))
        };
        self.0.run(read(USERS), find).await
    }

    async fn rotate_session_token(
        &self,
        session: &Session,
        old: &TokenDigest,
        new: &TokenDigest,
    ) -> Result<bool> {
        let rotate = async |mut link: Link<'_>| {
            let held = sessions::table
                .find(Id(session.id.0))
                .filter(sessions::token.eq(Digest(*old)));
            // A trigger keeps the old token as spent.
            let rotate = diesel::update(held).set((
                sessions::token.eq(Digest(*new)),
                sessions::active_organization_id.eq(Id(session.active_organization_id.0)),
                sessions::refreshed_at.eq(Time(session.refreshed_at)),
                sessions::expires_at.eq(Time(session.expires_at)),
            ));
            Ok(Prepared(rotate).execute(&mut link).await? == 1)
        };
        self.0.run(write(USERS), rotate).await
    }

    async fn switch_session(&self, session: &Session, new: &TokenDigest) -> Result<bool> {
        let switch = async |mut link: Link<'_>| {
            let switch = diesel::update(sessions::table.find(Id(session.id.0))).set((
                sessions::token.eq(Digest(*new)),
                sessions::active_organization_id.eq(Id(session.active_organization_id.0)),
            ));
            Ok(Prepared(switch).execute(&mut link).await? == 1)
        };
        self.0.run(write(USERS), switch).await
    }

    async fn list_sessions(
        &self,
        user: UserId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> Result<Page<Session>> {
        let list = async |mut link: Link<'_>| {
            let query = sessions::table
                .filter(sessions::user_id.eq(Id(user.0)))
                .filter(sessions::expires_at.gt(Time(now)))
                .select(SessionRow::as_select())
                .into_boxed();
            let query = sliced!(query, slice, sessions::created_at, sessions::id, Time);
            let rows: Vec<SessionRow> = query.load(&mut link).await?;
            Ok(rows)
        };
        let rows = self.0.run(read(USERS), list).await?;
        let rows = rows.into_iter().map(Session::from).collect();
        Ok(Page::from_rows(rows, slice.limit, |last: &Session| {
            cursor(last.created_at, last.id.0)
        }))
    }

    async fn delete_session(&self, id: SessionId) -> Result<bool> {
        let delete = async |mut link: Link<'_>| {
            let session = sessions::table.find(Id(id.0));
            Ok(diesel::delete(session).execute(&mut link).await? == 1)
        };
        self.0.run(write(USERS), delete).await
    }

    async fn list_expired_sessions(&self, now: SystemTime, limit: u32) -> Result<Vec<Session>> {
        let list = async |mut link: Link<'_>| {
            let rows: Vec<SessionRow> = sessions::table
                .filter(sessions::expires_at.le(Time(now)))
                .limit(limit.into())
                .select(SessionRow::as_select())
                .load(&mut link)
                .await?;
            Ok(rows.into_iter().map(Session::from).collect())
        };
        self.0.run(read(USERS), list).await
    }

    async fn insert_api_key(&self, key: &ApiKey, token: &TokenDigest) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            let scopes: Vec<_> = key.scopes.iter().copied().map(Word).collect();
            let inserted = diesel::insert_into(api_keys::table)
                .values((
                    api_keys::id.eq(Id(key.id.0)),
                    api_keys::token.eq(Digest(*token)),
                    api_keys::user_id.eq(Id(key.user_id.0)),
                    api_keys::organization_id.eq(Id(key.organization_id.0)),
                    api_keys::name.eq(&key.name),
                    api_keys::prefix.eq(&key.prefix),
                    api_keys::scopes.eq(scopes),
                    api_keys::created_at.eq(Time(key.created_at)),
                    api_keys::expires_at.eq(key.expires_at.map(Time)),
                ))
                .on_conflict(api_keys::id)
                .do_nothing()
                .execute(&mut link)
                .await?;
            if inserted == 1 {
                return Ok(());
            }
            Err(Error::AlreadyExists.into())
        };
        let scope = For::Tenant(key.organization_id.0);
        self.0.run(write(scope), insert).await
    }

    async fn find_api_key(&self, id: ApiKeyId) -> Result<Option<(ApiKey, TokenDigest)>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<(ApiKeyRow, Digest)> = api_keys::table
                .find(Id(id.0))
                .select((ApiKeyRow::as_select(), api_keys::token))
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(|(key, token)| (key.into(), token.0)))
        };
        self.0.run(read(For::System), find).await
    }

    async fn list_api_keys(
        &self,
        organization: OrganizationId,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> Result<Page<ApiKey>> {
        let list = async |mut link: Link<'_>| {
            let query = api_keys::table
                .filter(api_keys::organization_id.eq(Id(organization.0)))
                .filter(api_keys::user_id.eq(Id(user.0)))
                .select(ApiKeyRow::as_select())
                .into_boxed();
            let query = sliced!(query, slice, api_keys::created_at, api_keys::id, Time);
            let rows: Vec<ApiKeyRow> = query.load(&mut link).await?;
            Ok(rows)
        };
        let rows = self.0.run(read(For::Tenant(organization.0)), list).await?;
        let rows = rows.into_iter().map(ApiKey::from).collect();
        Ok(Page::from_rows(rows, slice.limit, |last: &ApiKey| {
            cursor(last.created_at, last.id.0)
        }))
    }

    async fn delete_api_key(
        &self,
        organization: OrganizationId,
        user: UserId,
        id: ApiKeyId,
    ) -> Result<bool> {
        let delete = async |mut link: Link<'_>| {
            let key = api_keys::table
                .filter(api_keys::id.eq(Id(id.0)))
                .filter(api_keys::organization_id.eq(Id(organization.0)))
                .filter(api_keys::user_id.eq(Id(user.0)));
            Ok(diesel::delete(key).execute(&mut link).await? == 1)
        };
        self.0.run(write(For::Tenant(organization.0)), delete).await
    }

    async fn insert_signing_key(&self, key: &SigningKey) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            diesel::insert_into(signing_keys::table)
                .values((
                    signing_keys::id.eq(Id(key.id.0)),
                    signing_keys::public_key.eq(&key.public_key),
                    signing_keys::sealed_private_key.eq(&key.sealed_private_key),
                    signing_keys::created_at.eq(Time(key.created_at)),
                ))
                .on_conflict_do_nothing()
                .execute(&mut link)
                .await?;
            Ok(())
        };
        self.0.run(write(USERS), insert).await
    }

    async fn reseal_signing_key(&self, id: SigningKeyId, sealed_private_key: &[u8]) -> Result<()> {
        let reseal = async |mut link: Link<'_>| {
            diesel::update(signing_keys::table.find(Id(id.0)))
                .set(signing_keys::sealed_private_key.eq(sealed_private_key))
                .execute(&mut link)
                .await?;
            Ok(())
        };
        self.0.run(write(USERS), reseal).await
    }

    async fn list_signing_keys(&self) -> Result<Vec<SigningKey>> {
        let list = async |mut link: Link<'_>| {
            let rows: Vec<(Id, Vec<u8>, Vec<u8>, Time)> = signing_keys::table
                .order((signing_keys::created_at, signing_keys::id))
                .load(&mut link)
                .await?;
            Ok(rows)
        };
        let rows = self.0.run(read(USERS), list).await?;
        let key = |(id, public_key, sealed_private_key, created_at): (Id, _, _, Time)| SigningKey {
            id: SigningKeyId(id.0),
            public_key,
            sealed_private_key,
            created_at: created_at.0,
        };
        Ok(rows.into_iter().map(key).collect())
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.append([new_event!(event)]).await
    }
}

impl Store for Postgres<Pooled> {
    type Transaction = Postgres<Open>;

    /// What a user does may concern any of their organizations.
    async fn begin(&self) -> Result<Postgres<Open>> {
        self.begin_for(For::System).await
    }
}

impl Transaction for Postgres<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await
    }
}
