//! A proxy that encrypts what a server says in the clear, for tests of whom a client trusts.

use std::{io, net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

/// How a client of Postgres asks for encryption (the `SSLRequest` of the protocol).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How clients come to speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// From the first byte.
    AtOnce,
    /// After they asked as clients of Postgres do; others are hung up on.
    Asked,
}

/// A proxy in front of a server. Clients speak TLS to it, and know it under the name `localhost` only. It ends, with all connections, when it is dropped.
pub struct TlsProxy {
    address: SocketAddr,
    authority: String,
    serving: JoinHandle<()>,
}

impl TlsProxy {
    /// Starts a proxy with a certificate of an authority that nobody else knows. Clients speak TLS
    /// from the first byte.
    pub async fn start(server: SocketAddr) -> Self {
        Self::opened(server, Opening::AtOnce).await
    }

    /// The same in front of a Postgres, whose clients ask for encryption before.
    pub async fn of_postgres(server: SocketAddr) -> Self {
        Self::opened(server, Opening::Asked).await
    }

    async fn opened(server: SocketAddr, opening: Opening) -> Self {
        let (acceptor, authority) = identity();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(client, opening, acceptor.clone(), server));
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            authority,
            serving,
        }
    }

    /// The port of `localhost` where clients find it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate (PEM) that vouches for it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What shows that a server is `localhost`, and the certificate that vouches for it.
fn identity() -> (TlsAcceptor, String) {
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
    (TlsAcceptor::from(Arc::new(config)), authority.pem())
}

async fn carry(
    mut client: TcpStream,
    opening: Opening,
    acceptor: TlsAcceptor,
    server: SocketAddr,
) -> io::Result<()> {
    if opening == Opening::Asked {
        let mut request = [0; SSL_REQUEST.len()];
        client.read_exact(&mut request).await?;
        if request != SSL_REQUEST {
            return Ok(());
        }
        client.write_all(b"S").await?;
    }
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
