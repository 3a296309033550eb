//! Encrypted connections to other servers, by rustls: whom they trust.
//!
//! Every adapter that connects to something makes its [`ClientConfig`] here, so that there is one answer
//! to which certificates count, and one implementation of the cryptography (ring).

mod anybody;

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, RootCertStore,
    client::WantsClientCert,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, pem::PemObject},
};

use anybody::Anybody;

/// Whom a connection takes for the server it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Whoever this machine trusts. A machine without certificates of its own, a bare container
    /// say, trusts whom Mozilla does.
    Machine,
    /// Whom these certificates (PEM) vouch for, and nobody else.
    Roots(&'a str),
    /// Anybody: whoever listens in learns nothing, and whoever stands in between learns
    /// everything.
    Anybody,
}

/// Why there can be no encrypted connections.
#[derive(Debug)]
pub enum Error {
    /// What was given as certificates is not PEM.
    Pem(rustls::pki_types::pem::Error),
    /// No certificate is among what was given.
    Empty,
    /// A certificate is not usable.
    Certificate(rustls::Error),
}

/// What a client needs to connect: TLS 1.2 or 1.3, no certificate of its own, no ALPN.
///
/// # Errors
///
/// If the certificates of [`Trust::Roots`] are not usable.
pub fn client_config(trust: Trust<'_>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::Certificate)?;
    let config: rustls::ConfigBuilder<_, WantsClientCert> = match trust {
        Trust::Machine => config.with_root_certificates(of_machine()),
        Trust::Roots(pem) => config.with_root_certificates(parse(pem)?),
        Trust::Anybody => config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    Ok(config.with_no_client_auth())
}

/// The same for HTTP: HTTP/2 where the server speaks it. It trusts whom this machine does.
///
/// # Errors
///
/// None that [`Trust::Machine`] can bring about.
pub fn http_client_config() -> Result<ClientConfig, Error> {
    let mut config = client_config(Trust::Machine)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Whom this machine trusts, or else Mozilla does, as certificates (PEM): for libraries that make their
/// [`ClientConfig`] themselves. See [`Trust::Machine`].
pub fn machine_roots() -> String {
    let native = rustls_native_certs::load_native_certs().certs;
    // Whoever takes them may refuse all for the sake of one that is not usable.
    let is_usable =
        |root: &&CertificateDer<'_>| RootCertStore::empty().add((*root).clone()).is_ok();
    let mut pem: String = native.iter().filter(is_usable).map(to_pem).collect();
    if pem.is_empty() {
        pem = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(to_pem)
            .collect();
    }
    pem
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

/// Chooses the cryptography for libraries that ask rustls for that of the process. May be called
/// any number of times.
pub fn install() {
    // It fails when somebody has chosen before, which is as good.
    drop(CryptoProvider::install_default(ring::default_provider()));
}

fn of_machine() -> RootCertStore {
    let mut store = RootCertStore::empty();
    // Those that cannot be read vouch for nobody; the others still do.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        store.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    store
}

fn parse(pem: &str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(Error::Pem)?;
        store.add(certificate).map_err(Error::Certificate)?;
    }
    if store.is_empty() {
        return Err(Error::Empty);
    }
    Ok(store)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pem(_) => "the root certificates are not PEM",
            Self::Empty => "there is no certificate among the root certificates",
            Self::Certificate(_) => "a root certificate is not usable",
        })
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pem(source) => Some(source),
            Self::Empty => None,
            Self::Certificate(source) => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_must_be_there_and_usable() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        assert!(client_config(Trust::Roots(&own.cert.pem())).is_ok());
        let refused = |pem| client_config(Trust::Roots(pem)).unwrap_err();
        assert!(matches!(refused("nothing"), Error::Empty));
        let broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(broken), Error::Pem(_)));
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refused(empty), Error::Certificate(_)));
    }

    #[test]
    fn every_machine_trusts_somebody() {
        assert!(!of_machine().is_empty());
        let roots = machine_roots();
        assert_eq!(parse(&roots).unwrap().len(), of_machine().len());
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let again = CertificateDer::from_pem_slice(to_pem(own.cert.der()).as_bytes());
        assert_eq!(again.unwrap(), *own.cert.der());
    }
}
