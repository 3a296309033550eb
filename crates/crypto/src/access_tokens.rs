//! Access tokens: JWT (RFC 7519) signed with Ed25519 (RFC 8037).
//!
//! Checking a signature costs more than everything else a warm request does,
//! so tokens found good are remembered by their digest. Whether a session is
//! still alive is not remembered here: auth asks that every time.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use archesai_auth::{
    Claims, Error, Result, SigningKeyId,
    ports::{AccessTokens, SigningKey},
};
use archesai_platform::vault::Vault;
use ed25519_dalek::{SigningKey as KeyPair, pkcs8::EncodePrivateKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use crate::system::random;

/// How many tokens are remembered as good.
const REMEMBERED: u64 = 100_000;

/// Seconds by which clocks of nodes may differ.
const LEEWAY: u64 = 5;

/// Signs with the newest key and reads what any of the keys signed.
pub struct JwtTokens {
    newest: (SigningKeyId, EncodingKey),
    keys: HashMap<String, DecodingKey>,
    public: Vec<(SigningKeyId, Vec<u8>)>,
    validation: Validation,
    good: Cache<[u8; 32], Arc<Claims>>,
}

/// Why signing keys could not be used.
#[derive(Debug)]
pub struct KeyError(&'static str);

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}

impl JwtTokens {
    /// Makes a signing key, its private part sealed by the vault.
    ///
    /// # Errors
    ///
    /// If the vault fails.
    pub fn generate(
        id: SigningKeyId,
        created_at: SystemTime,
        vault: &dyn Vault,
    ) -> Result<SigningKey> {
        let pair = KeyPair::from_bytes(&random());
        let sealed = vault
            .seal(&context(id), pair.as_bytes())
            .map_err(Error::unavailable)?;
        Ok(SigningKey {
            id,
            public_key: pair.verifying_key().to_bytes().to_vec(),
            sealed_private_key: sealed,
            created_at,
        })
    }

    /// Seals the private part of a key anew, as the vault seals now.
    ///
    /// # Errors
    ///
    /// If the vault fails, or the key does not open.
    pub async fn reseal(key: &SigningKey, vault: &dyn Vault) -> Result<Vec<u8>> {
        let context = context(key.id);
        let plain = vault.open(&context, &key.sealed_private_key).await;
        let sealed = plain.and_then(|plain| vault.seal(&context, &plain));
        sealed.map_err(Error::unavailable)
    }

    /// Uses keys, oldest first, for tokens of an issuer to an audience.
    ///
    /// # Errors
    ///
    /// If there is no key, or the newest does not open.
    pub async fn new(
        keys: &[SigningKey],
        vault: &dyn Vault,
        issuer: &str,
        audience: &str,
    ) -> Result<Self> {
        let newest = keys.last().ok_or(KeyError("there is no signing key"));
        let newest = newest.map_err(Error::unavailable)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        // The times are held against the clock port.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let decoding = |key: &SigningKey| {
            let decoding = DecodingKey::from_ed_der(&key.public_key);
            (key.id.to_string(), decoding)
        };
        Ok(Self {
            newest: (newest.id, open(newest, vault).await?),
            keys: keys.iter().map(decoding).collect(),
            public: keys
                .iter()
                .map(|key| (key.id, key.public_key.clone()))
                .collect(),
            validation,
            good: Cache::new(REMEMBERED),
        })
    }

    fn read(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let key = self.keys.get(&header.kid?)?;
        let data = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
        Some(data.claims)
    }
}

impl AccessTokens for JwtTokens {
    fn sign(&self, claims: &Claims) -> Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.newest.0.to_string());
        jsonwebtoken::encode(&header, claims, &self.newest.1).map_err(Error::unavailable)
    }

    fn verify(&self, token: &str, now: SystemTime) -> Result<Claims> {
        let digest = Sha256::digest(token.as_bytes()).into();
        let claims = if let Some(claims) = self.good.get(&digest) {
            claims
        } else {
            let claims = Arc::new(self.read(token).ok_or(Error::InvalidToken)?);
            self.good.insert(digest, Arc::clone(&claims));
            claims
        };
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        if claims.nbf > now + LEEWAY || claims.exp <= now {
            return Err(Error::InvalidToken);
        }
        Ok((*claims).clone())
    }

    fn public_keys(&self) -> Vec<(SigningKeyId, Vec<u8>)> {
        self.public.clone()
    }
}

/// What the private part of a key is sealed for.
fn context(id: SigningKeyId) -> [u8; 16] {
    id.0.to_be_bytes()
}

async fn open(key: &SigningKey, vault: &dyn Vault) -> Result<EncodingKey> {
    let context = context(key.id);
    let secret = vault.open(&context, &key.sealed_private_key).await;
    let secret = secret.map_err(Error::unavailable)?;
    let secret = secret
        .try_into()
        .map_err(|_| Error::unavailable(KeyError("a signing key has 32 bytes")))?;
    let document = KeyPair::from_bytes(&secret)
        .to_pkcs8_der()
        .map_err(|_| Error::unavailable(KeyError("the signing key is damaged")))?;
    Ok(EncodingKey::from_ed_der(document.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use archesai_auth::{
        Claims, Email, OrganizationId, SessionId, SigningKeyId, UserId,
        ports::{AccessTokens, SigningKey},
    };

    use super::JwtTokens;
    use crate::vault::tests::vault;

    fn claims() -> Claims {
        Claims {
            iss: "i".into(),
            aud: "a".into(),
            sub: UserId(1),
            user_id: UserId(1),
            email: Email::parse("a@b.c").unwrap(),
            organization_id: OrganizationId(2),
            role: "owner".into(),
            sid: SessionId(3),
            iat: 1_000,
            nbf: 1_000,
            exp: 2_000,
            jti: "x".into(),
        }
    }

    async fn tokens(issuer: &str) -> JwtTokens {
        let vault = vault().await;
        let key = JwtTokens::generate(SigningKeyId(7), UNIX_EPOCH, &vault).unwrap();
        JwtTokens::new(&[key], &vault, issuer, "a").await.unwrap()
    }

    #[tokio::test]
    async fn a_key_that_is_sealed_anew_signs_the_same() {
        let vault = vault().await;
        let key = JwtTokens::generate(SigningKeyId(7), UNIX_EPOCH, &vault).unwrap();
        let at = UNIX_EPOCH + Duration::from_mins(25);
        vault.rotate().await.unwrap();
        let resealed = SigningKey {
            sealed_private_key: JwtTokens::reseal(&key, &vault).await.unwrap(),
            ..key.clone()
        };
        assert_ne!(resealed.sealed_private_key, key.sealed_private_key);
        let before = JwtTokens::new(&[key], &vault, "i", "a").await.unwrap();
        let after = JwtTokens::new(&[resealed], &vault, "i", "a").await;
        let token = after.unwrap().sign(&claims()).unwrap();
        assert_eq!(before.verify(&token, at).unwrap(), claims());
    }

    #[tokio::test]
    async fn a_token_is_good_between_its_times_and_for_its_issuer() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let tokens = tokens("i").await;
        let token = tokens.sign(&claims()).unwrap();
        assert_eq!(tokens.verify(&token, at(1_500)).unwrap(), claims());
        assert!(tokens.verify(&token, at(2_000)).is_err());
        assert!(tokens.verify(&token, at(900)).is_err());
        let others = self::tokens("i").await;
        assert!(others.verify(&token, at(1_500)).is_err());
        let mut other = token.clone();
        other.replace_range(token.len() - 5..token.len() - 4, "_");
        assert!(tokens.verify(&other, at(1_500)).is_err() || other == token);
        for bad in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(tokens.verify(bad, at(1_500)).is_err());
        }
    }
}
