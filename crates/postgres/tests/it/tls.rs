//! Encrypted connections, to a server of which a test is the certificate authority.

use std::{net::SocketAddr, sync::Arc};

use archesai_postgres::{Database, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::scratch::Scratch;

/// How a client asks for encryption (the `SSLRequest` of the protocol).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

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

/// Clients that do not ask for encryption are hung up on.
async fn serve(
    mut client: TcpStream,
    acceptor: TlsAcceptor,
    server: SocketAddr,
) -> std::io::Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    if request == SSL_REQUEST {
        client.write_all(b"S").await?;
        let mut client = acceptor.accept(client).await?;
        let mut server = TcpStream::connect(server).await?;
        copy_bidirectional(&mut client, &mut server).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mode_in_the_url_says_how_much_is_checked() {
    let scratch = Scratch::new().await;
    let plain = scratch.server();
    let (before, place) = plain.url.split_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let (address, authority) = encrypted(server.parse().unwrap()).await;
    let open = async |host: &str, mode: &str, is_known: bool| {
        let port = address.port();
        let settings = Settings {
            url: format!("{before}@{host}:{port}/{name}?sslmode={mode}"),
            root_certificates: is_known.then(|| authority.clone()),
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
