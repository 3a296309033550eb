//! What the contract says of an operation before anybody calls it.

use archesai_auth::Scope;
use archesai_organizations::Role;

use crate::room::Party;

/// An operation of the contract and who may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its `operationId`.
    pub id: &'static str,
    /// Its HTTP method.
    pub method: &'static str,
    /// Its path template.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, as often as they like: whoever watches over the server.
    Unlimited,
    /// Everybody.
    Public,
    /// Whoever has signed in; API keys may not.
    User,
    /// Members of an organization.
    Member {
        /// The least role.
        role: Role,
        /// What an API key needs; `None` if API keys may not.
        scope: Option<Scope>,
        /// Of which organization.
        place: Place,
    },
}

impl Access {
    /// In which part of the room its calls are worked on.
    pub(crate) fn party(self) -> Party {
        match self {
            Self::Unlimited | Self::Public => Party::Guest,
            Self::User | Self::Member { .. } => Party::Caller,
        }
    }
}

/// Which organization an operation works in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one the credential works in.
    Active,
    /// The one in the path, as `id`.
    Path,
}
