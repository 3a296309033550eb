//! API keys: how a program proves whom it works for.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{ApiKeyId, OrganizationId, Scope, UserId};

/// A long-lived credential of one user in one organization. It can do what its
/// scopes say, and never more than its maker may at that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Identity; never reused.
    pub id: ApiKeyId,
    /// Who made it, and on whose behalf it acts.
    pub user_id: UserId,
    /// Where it works, and nowhere else.
    pub organization_id: OrganizationId,
    /// What its maker calls it.
    pub name: String,
    /// Its first characters, by which people recognise it.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it stops working; `None` for never.
    pub expires_at: Option<SystemTime>,
}

/// What an API key is made from.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// The identity it gets; the same one again where the request may have been carried out before.
    pub id: ApiKeyId,
    /// What to call it.
    pub name: String,
    /// What it may be used for; at least one.
    pub scopes: Vec<Scope>,
    /// When it stops working; `None` for never.
    pub expires_at: Option<SystemTime>,
}
