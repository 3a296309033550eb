//! Encrypted connections, to a server of which a test is the certificate authority.

use archesai_conformance::tls_proxy::TlsProxy;
use archesai_postgres::{Database, Settings};

use crate::scratch::Scratch;

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_in_the_url_says_how_much_is_checked() {
    let scratch = Scratch::new().await;
    let plain = scratch.server();
    let (before, place) = plain.url.split_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let proxy = TlsProxy::of_postgres(server.parse().unwrap()).await;
    let open = async |host: &str, mode: &str, is_known: bool| {
        let port = proxy.port();
        let settings = Settings {
            url: format!("{before}@{host}:{port}/{name}?sslmode={mode}"),
            root_certificates: is_known.then(|| proxy.authority().to_owned()),
            ..plain.clone()
        };
        let database = Database::open(&settings).await?;
        database.check().await.unwrap();
        Ok::<_, archesai_postgres::OpenError>(())
    };
    open("localhost", "verify-full", true).await.unwrap();
    open("127.0.0.1", "require", false).await.unwrap();
    open("127.0.0.1", "prefer", false).await.unwrap();

    let refused = open("127.0.0.1", "verify-full", true).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let refused = open("localhost", "verify-full", false).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    open("localhost", "disable", true).await.unwrap_err();

    // The server itself has no encryption to offer.
    for mode in ["require", "verify-full"] {
        let settings = Settings {
            url: format!("{}?sslmode={mode}", plain.url),
            ..plain.clone()
        };
        let refused = Database::open(&settings).await.err().unwrap();
        assert!(refused.to_string().contains("TLS"), "{refused}");
    }
}
