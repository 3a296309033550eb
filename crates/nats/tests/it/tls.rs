//! Encrypted connections, to a server that encrypts before it speaks, as a NATS server set to
//! `handshake_first` does.

use archesai_conformance::tls_proxy::TlsProxy;
use archesai_nats::{Nats, Settings};
use archesai_platform::events::Publisher as _;

use crate::scratch::{Scratch, event};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_that_somebody_vouches_for_is_talked_to() {
    let scratch = Scratch::new();
    let proxy = TlsProxy::start(scratch.server()).await;
    let node = async |host: &str, is_known: bool| {
        let settings = Settings {
            urls: format!("tls://{host}:{}", proxy.port()),
            root_certificates: is_known.then(|| proxy.authority().to_owned()),
            tls_first: true,
            ..scratch.settings.clone()
        };
        Nats::connect(settings).await.unwrap()
    };
    let nats = node("localhost", true).await;
    nats.check().await.unwrap();
    nats.events().publish(&event(1)).await.unwrap();
    for (host, is_known) in [("localhost", false), ("127.0.0.1", true)] {
        node(host, is_known).await.check().await.unwrap_err();
    }
    // The server itself has no encryption to offer, and is not talked to without.
    let settings = Settings {
        urls: format!("tls://{}", scratch.server()),
        ..scratch.settings.clone()
    };
    let nats = Nats::connect(settings).await.unwrap();
    nats.check().await.unwrap_err();
    scratch.end().await;
}
