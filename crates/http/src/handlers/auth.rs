//! The operations tagged `auth`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use archesai_auth::{
    Adapters, ApiKey, ApiKeyId, Error, NewApiKey, OrganizationId, PasswordChange, Scope, Service,
    SessionId, SignedIn, User, UserChanges, UserId,
    ports::{AccessTokens, Sort},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::{order, time, token_lost};
use crate::{
    Brake, Caller, Guest, Problem, Versioned, brake::Account, generated::auth as api, page,
};

/// The operations tagged `auth`.
pub struct Auth<A: Adapters> {
    /// Their use cases.
    pub auth: Arc<Service<A>>,
    /// Stops whoever guesses a password.
    pub brake: Brake,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, reason } => Self::fault(format!("/{field}"), reason),
            Error::AlreadyExists | Error::EmailTaken => Self::conflict(error),
            Error::WrongCredentials | Error::InvalidToken => Self::unauthorized(&error.to_string()),
            Error::NotFound | Error::NotAMember => Self::not_found(),
            Error::VersionConflict => Self::with_detail(StatusCode::PRECONDITION_FAILED, error),
            Error::Busy => Self::busy(error),
            Error::Unavailable(cause) => Self::unavailable(cause),
            error => Self::unavailable(error),
        }
    }
}

fn user(user: User) -> api::User {
    api::User {
        id: Uuid::from_u128(user.id.0),
        email: user.email.to_string(),
        name: user.name,
        created_at: time(user.created_at),
        updated_at: time(user.updated_at),
    }
}

fn versioned(found: User) -> Versioned<api::User> {
    Versioned {
        version: found.version,
        value: user(found),
    }
}

fn tokens(signed_in: SignedIn) -> api::Tokens {
    api::Tokens {
        access_token: signed_in.access_token,
        token_type: "Bearer".to_owned(),
        expires_in: i64::try_from(signed_in.expires_in.as_secs()).unwrap_or(i64::MAX),
        refresh_token: signed_in.refresh_token,
        user: user(signed_in.user),
        session: api::SessionReference {
            id: Uuid::from_u128(signed_in.session.id.0),
            active_organization_id: Uuid::from_u128(signed_in.session.active_organization_id.0),
        },
    }
}

fn scopes(scopes: &[Scope]) -> Result<Vec<api::ApiKeyScope>, Problem> {
    scopes
        .iter()
        .map(|scope| scope.as_str().parse().map_err(Problem::unavailable))
        .collect()
}

fn api_key(key: &ApiKey) -> Result<api::ApiKey, Problem> {
    Ok(api::ApiKey {
        id: Uuid::from_u128(key.id.0),
        name: key.name.clone(),
        prefix: key.prefix.clone(),
        scopes: scopes(&key.scopes)?,
        created_at: time(key.created_at),
        expires_at: key.expires_at.map(time),
    })
}

/// The session of a caller. `user` operations are let through with one only.
fn session(caller: &Caller) -> Result<SessionId, Problem> {
    caller
        .session_id
        .ok_or_else(|| Problem::forbidden("this takes a session; API keys may not"))
}

/// The organization a caller works in, as auth names it.
fn organization(caller: &Caller) -> OrganizationId {
    OrganizationId(caller.organization_id.0)
}

impl<A: Adapters> api::AuthApi for Auth<A> {
    async fn register(
        &self,
        guest: &Guest,
        new_id: Uuid,
        body: api::RegisterRequest,
    ) -> Result<api::Tokens, Problem> {
        let registration = archesai_auth::Registration {
            id: UserId(new_id.as_u128()),
            email: body.email,
            name: body.name,
            password: body.password,
            user_agent: guest.user_agent.clone(),
        };
        Ok(tokens(self.auth.register(registration).await?))
    }

    async fn login(&self, guest: &Guest, body: api::LoginRequest) -> Result<api::Tokens, Problem> {
        let login = archesai_auth::Login {
            email: body.email,
            password: body.password,
            user_agent: guest.user_agent.clone(),
        };
        let account = Account::of_address(&login.email);
        let signed_in = self.brake.attempt(account, self.auth.login(login));
        Ok(tokens(signed_in.await??))
    }

    async fn refresh(
        &self,
        _guest: &Guest,
        body: api::RefreshRequest,
    ) -> Result<api::Tokens, Problem> {
        Ok(tokens(self.auth.refresh(&body.refresh_token).await?))
    }

    async fn logout(&self, caller: &Caller) -> Result<(), Problem> {
        Ok(self.auth.logout(session(caller)?).await?)
    }

    async fn update_session(
        &self,
        caller: &Caller,
        body: api::UpdateSessionRequest,
    ) -> Result<api::Tokens, Problem> {
        let organization = OrganizationId(body.active_organization_id.as_u128());
        let switched = self
            .auth
            .switch_organization(session(caller)?, organization);
        Ok(tokens(switched.await?))
    }

    async fn list_sessions(
        &self,
        caller: &Caller,
        query: api::ListSessionsQuery,
    ) -> Result<api::SessionPage, Problem> {
        let (cursor, order) = (query.cursor.as_deref(), order(query.sort));
        let slice = page::slice("sessions", query.limit, cursor, order, Sort::CreatedAt)?;
        let page = self.auth.sessions_of(caller.user_id, &slice).await?;
        let data = page.items.into_iter().map(|session| api::Session {
            id: Uuid::from_u128(session.id.0),
            active_organization_id: Uuid::from_u128(session.active_organization_id.0),
            user_agent: session.user_agent,
            current: Some(session.id) == caller.session_id,
            created_at: time(session.created_at),
            refreshed_at: time(session.refreshed_at),
            expires_at: time(session.expires_at),
        });
        Ok(api::SessionPage {
            data: data.collect(),
            next_cursor: page::encode("sessions", order, page.next),
        })
    }

    async fn revoke_session(&self, caller: &Caller, id: Uuid) -> Result<(), Problem> {
        let session = SessionId(id.as_u128());
        Ok(self.auth.revoke_session(caller.user_id, session).await?)
    }

    async fn get_me(&self, caller: &Caller) -> Result<Versioned<api::User>, Problem> {
        Ok(versioned(self.auth.user(caller.user_id).await?))
    }

    async fn update_me(
        &self,
        caller: &Caller,
        if_match: Option<Vec<u64>>,
        body: api::UpdateUserRequest,
    ) -> Result<Versioned<api::User>, Problem> {
        let changes = UserChanges { name: body.name };
        let updated = self
            .auth
            .update_user(caller.user_id, if_match.as_deref(), changes);
        Ok(versioned(updated.await?))
    }

    async fn change_password(
        &self,
        caller: &Caller,
        body: api::ChangePasswordRequest,
    ) -> Result<(), Problem> {
        let change = PasswordChange {
            current: body.current_password,
            new: body.new_password,
        };
        let changed = self
            .auth
            .change_password(caller.user_id, caller.session_id, change);
        let account = Account::of_user(caller.user_id);
        let changed = self.brake.attempt(account, changed).await?;
        // The bearer token is good, so a wrong password here is a fault of the body.
        changed.map_err(|error| match error {
            Error::WrongCredentials => {
                Problem::fault("/current_password", "is not the password of this user")
            }
            error => error.into(),
        })
    }

    async fn list_api_keys(
        &self,
        caller: &Caller,
        query: api::ListApiKeysQuery,
    ) -> Result<api::ApiKeyPage, Problem> {
        let (cursor, order) = (query.cursor.as_deref(), order(query.sort));
        let slice = page::slice("api_keys", query.limit, cursor, order, Sort::CreatedAt)?;
        let keys = self
            .auth
            .api_keys_of(organization(caller), caller.user_id, &slice);
        let page = keys.await?;
        Ok(api::ApiKeyPage {
            data: page.items.iter().map(api_key).collect::<Result<_, _>>()?,
            next_cursor: page::encode("api_keys", order, page.next),
        })
    }

    async fn create_api_key(
        &self,
        caller: &Caller,
        new_id: Uuid,
        body: api::CreateApiKeyRequest,
    ) -> Result<api::CreatedApiKey, Problem> {
        let scopes = body.scopes.iter().map(|scope| {
            let parsed = scope.as_str().parse::<Scope>();
            parsed.map_err(Problem::unavailable)
        });
        let new = NewApiKey {
            id: ApiKeyId(new_id.as_u128()),
            name: body.name,
            scopes: scopes.collect::<Result<_, _>>()?,
            expires_at: body.expires_at.flatten().map(Into::into),
        };
        let created = self
            .auth
            .create_api_key(organization(caller), caller.user_id, new);
        let (key, token) = created.await.map_err(|error| match error {
            Error::AlreadyExists => token_lost(format_args!("delete the API key {new_id}")),
            error => error.into(),
        })?;
        let key = api_key(&key)?;
        Ok(api::CreatedApiKey {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            token,
        })
    }

    async fn delete_api_key(&self, caller: &Caller, id: Uuid) -> Result<(), Problem> {
        let id = ApiKeyId(id.as_u128());
        let deleted = self
            .auth
            .delete_api_key(organization(caller), caller.user_id, id);
        Ok(deleted.await?)
    }

    async fn jwks(&self, _guest: &Guest) -> Result<api::JsonWebKeySet, Problem> {
        let keys = self.auth.access_tokens.public_keys();
        let keys = keys.into_iter().map(|(id, public)| api::JsonWebKey {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(public),
            kid: id.to_string(),
            use_: "sig".to_owned(),
            alg: "EdDSA".to_owned(),
        });
        Ok(api::JsonWebKeySet {
            keys: keys.collect(),
        })
    }
}
