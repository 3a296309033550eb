//! What clients hand back: no access token that was not signed here is accepted, and a cursor that is read is written the
//! same.

#![no_main]

use std::{sync::LazyLock, time::SystemTime};

use archesai_auth::{SigningKeyId, ports::AccessTokens};
use archesai_crypto::{AesVault, JwtTokens};
use archesai_workflows::Cursor;
use libfuzzer_sys::fuzz_target;

static TOKENS: LazyLock<JwtTokens> = LazyLock::new(|| {
    let vault = AesVault::new(&[7; 32]);
    let key = JwtTokens::generate(SigningKeyId(1), SystemTime::UNIX_EPOCH, &vault);
    let keys = [key.expect("a key")];
    JwtTokens::new(&keys, &vault, "issuer", "audience").expect("tokens")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(token) = str::from_utf8(data) {
        assert!(TOKENS.verify(token, SystemTime::UNIX_EPOCH).is_err());
    }
    if let Ok(cursor) = serde_json::from_slice::<Cursor>(data) {
        let written = serde_json::to_vec(&cursor).expect("a cursor");
        let again = serde_json::from_slice::<Cursor>(&written).expect("its own");
        assert_eq!(format!("{again:?}"), format!("{cursor:?}"));
    }
});
