//! Encrypted connections, to a server of which a test is the certificate authority.

use std::time::Duration;

use archesai_auth::Cache as _;
use archesai_conformance::tls_proxy::TlsProxy;
use archesai_platform::events::{Subscriber as _, Subscription as _};
use archesai_redis::{Redis, Settings};

use crate::support::{Cache, RECOVERY, address, alone, settings};

#[tokio::test]
async fn the_server_must_be_who_it_says() {
    let proxy = TlsProxy::start(address(&alone())).await;
    let authority = proxy.authority().to_owned();
    let connect = async |scheme: &str, host: &str, roots: Option<&String>| {
        let url = format!("{scheme}://{host}:{}", proxy.port());
        let settings = Settings {
            root_certificates: roots.cloned(),
            connect_timeout: Duration::from_secs(2),
            ..settings(url)
        };
        Redis::connect(settings).await.unwrap()
    };
    let redis = connect("rediss", "localhost", Some(&authority)).await;
    let cache: Cache = redis.cache("some");
    cache
        .put(&1, &"one".to_owned(), Duration::from_mins(1))
        .await
        .unwrap();
    assert_eq!(cache.get(&1).await.unwrap().as_deref(), Some("one"));
    // What listens has a connection of its own, which says first that what came before is unknown.
    let mut heard = redis.events().subscribe();
    let first = tokio::time::timeout(RECOVERY, heard.next()).await;
    assert_eq!(first.expect("it listens in time"), None);

    for (scheme, host, roots) in [
        ("rediss", "127.0.0.1", Some(&authority)),
        ("rediss", "localhost", None),
        ("redis", "localhost", None),
    ] {
        let redis = connect(scheme, host, roots).await;
        assert!(redis.check().await.is_err(), "{scheme} {host} {roots:?}");
    }
}
