//! Passwords, tokens, signing keys, random ids and encryption at rest.
//!
//! Everything random and every look at the clock comes from here, through the
//! ports of the domains.

mod access_tokens;
mod opaque_tokens;
mod passwords;
mod system;
mod vault;

pub use access_tokens::{JwtTokens, KeyError};
pub use opaque_tokens::RandomTokens;
pub use passwords::Argon2Passwords;
pub use system::System;
pub use vault::{AesVault, MasterKey, MasterKeys, VaultError};
