//! What TLS needs before the first client is made.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, redirect};

/// A client that goes where it is told and nowhere else: no proxy, no redirect.
#[expect(
    clippy::disallowed_methods,
    reason = "goes where the configuration says, not a user"
)]
pub(crate) fn client(connect_timeout: Duration) -> reqwest::Result<Client> {
    // It fails when somebody has chosen before, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = || {
        ClientBuilder::new()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(connect_timeout)
            .user_agent(concat!("archesai/", env!("CARGO_PKG_VERSION")))
    };
    // A machine without certificates of its own, a bare container say, gets Mozilla's.
    builder().build().or_else(|_| {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let roots = roots.iter().map(|root| Certificate::from_der(root));
        let roots = roots.collect::<reqwest::Result<Vec<_>>>()?;
        builder().tls_certs_only(roots).build()
    })
}
