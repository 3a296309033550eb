//! `x-authorization`: who may call an operation.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Unexpected, Visitor, value::MapAccessDeserializer},
};

/// Who may call an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Authorization {
    /// Anybody, as often as they like.
    Unlimited,
    /// Anybody.
    Public,
    /// Whoever is signed in.
    User,
    /// A member of an organization.
    Member(Membership),
}

/// What a member needs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Membership {
    /// The smallest role that is enough.
    pub(crate) role: String,
    /// What an API key must be allowed to do; `none` where no API key may call it.
    pub(crate) scope: String,
    /// Where the request names the organization; else it is the one the caller works in.
    pub(crate) organization: Option<Organization>,
}

/// Where a request names the organization it is about.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Organization {
    /// The path parameter `id`.
    Path,
}

impl Authorization {
    /// Whether it takes no credential.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Unlimited | Self::Public)
    }
}

impl<'de> Deserialize<'de> for Authorization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AuthorizationVisitor)
    }
}

struct AuthorizationVisitor;

impl<'de> Visitor<'de> for AuthorizationVisitor {
    type Value = Authorization;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`unlimited`, `public`, `user` or {role, scope, organization}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Authorization, E> {
        match text {
            "unlimited" => Ok(Authorization::Unlimited),
            "public" => Ok(Authorization::Public),
            "user" => Ok(Authorization::User),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Authorization, A::Error> {
        let map = MapAccessDeserializer::new(map);
        Membership::deserialize(map).map(Authorization::Member)
    }
}
