//! Opaque tokens: 256 random bits in URL-safe characters, kept as their SHA-256.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::system::random;

/// Tokens from the operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomTokens;

fn generate(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<32>()))
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Implements the port of a domain: the domains share no types.
macro_rules! opaque_tokens {
    ($($domain:ident),*) => {$(
        impl $domain::ports::OpaqueTokens for RandomTokens {
            fn generate(&self, prefix: &str) -> String {
                generate(prefix)
            }

            fn digest(&self, token: &str) -> [u8; 32] {
                digest(token)
            }
        }
    )*};
}
opaque_tokens!(archesai_auth, archesai_organizations);

#[cfg(test)]
mod tests {
    use super::{digest, generate};

    #[test]
    fn tokens_differ_and_keep_their_prefix() {
        let (a, b) = (generate("ark_"), generate("ark_"));
        assert!(a.starts_with("ark_") && a.len() == 4 + 43);
        assert_ne!(digest(&a), digest(&b));
    }
}
