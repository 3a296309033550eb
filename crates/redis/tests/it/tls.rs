//! Encrypted connections, to a server of which a test is the certificate authority.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use archesai_auth::Cache as _;
use archesai_platform::events::{Subscriber as _, Subscription as _};
use archesai_redis::{Redis, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::support::{Cache, RECOVERY, address, alone, settings};

/// Something in front of a server that talks to it in the clear and to clients under the name
/// `localhost` only, and the certificate (PEM) that vouches for it.
async fn encrypted(server: SocketAddr) -> (SocketAddr, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, acceptor.clone(), server));
        }
    });
    (address, authority.pem())
}

async fn serve(client: TcpStream, acceptor: TlsAcceptor, server: SocketAddr) {
    let Ok(mut client) = acceptor.accept(client).await else {
        return;
    };
    let mut server = TcpStream::connect(server).await.unwrap();
    _ = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn the_server_must_be_who_it_says() {
    let (place, authority) = encrypted(address(&alone())).await;
    let connect = async |scheme: &str, host: &str, roots: Option<&String>| {
        let url = format!("{scheme}://{host}:{}", place.port());
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
