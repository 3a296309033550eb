//! What TLS needs before the first client is made.

use reqwest::{Certificate, ClientBuilder};

/// Finishes a client: with the certificates of the machine, or, where it has none (a bare
/// container, say), with Mozilla's.
pub(crate) fn build(builder: impl Fn() -> ClientBuilder) -> reqwest::Result<reqwest::Client> {
    // It fails when somebody has chosen before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    builder().build().or_else(|_| {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let roots = roots.iter().map(|root| Certificate::from_der(root));
        let roots = roots.collect::<reqwest::Result<Vec<_>>>()?;
        builder().tls_certs_only(roots).build()
    })
}
