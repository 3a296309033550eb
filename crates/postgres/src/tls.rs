//! Encrypted connections to the server.

use archesai_tls::{Trust, client_config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{settings::Encryption, task::Failure};

/// What encrypts connections. `roots` are the certificates (PEM) that vouch for the server; without
/// any, those do that the machine trusts.
pub(crate) fn connector(
    encryption: Encryption,
    roots: Option<&str>,
) -> Result<MakeRustlsConnect, Failure> {
    let trust = match encryption {
        Encryption::Verified => roots.map_or(Trust::Machine, Trust::Roots),
        Encryption::Unverified => Trust::Anybody,
    };
    Ok(MakeRustlsConnect::new(client_config(trust)?))
}
