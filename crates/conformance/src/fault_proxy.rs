//! A proxy between a client and a server that does to them what networks and machines do:
//! refuses, goes silent, slows down, cuts, and loses the one answer that matters.
//!
//! It knows nothing of what goes through it, so it serves Postgres, Redis, NATS and S3 alike. A
//! client that learns other addresses from its server, as that of a Redis cluster does, finds the
//! way around it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::sleep,
};

/// How many bytes are passed on at a time.
const CHUNK: usize = 16 * 1024;

/// What the proxy does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it passes everything on.
    None,
    /// Refuses connections and resets those there are, as when nobody listens.
    Refuse,
    /// Accepts connections and passes nothing on, in neither direction, as when packets are lost.
    /// What was held back goes on its way when this ends.
    BlackHole,
    /// Passes everything on late.
    Slow {
        /// How long everything is held, in each direction.
        latency: Duration,
        /// How many bytes a second go in each direction of a connection.
        bytes_per_second: u64,
    },
    /// Ends each connection when so many more bytes went through it, in both directions together.
    CutAfter(u64),
    /// Waits for an answer with these bytes, and resets the connection instead of passing it on:
    /// the server did what it was asked to, and the client never learns. Happens once, and then
    /// the fault is `None`. The answer of Postgres to a commit contains `COMMIT\0`.
    SwallowAnswer(Vec<u8>),
}

/// A proxy in front of one server. It ends, with all connections, when it is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    orders: mpsc::UnboundedSender<(Fault, oneshot::Sender<()>)>,
}

/// What all connections look at.
struct State {
    fault: Fault,
    /// How often all connections were reset.
    resets: u64,
}

impl FaultProxy {
    /// Starts a proxy that passes everything on to a server.
    pub async fn start(server: SocketAddr) -> Self {
        let port = Port::hold().unwrap();
        let address = port.address;
        let (state, _) = watch::channel(State {
            fault: Fault::None,
            resets: 0,
        });
        let state = Arc::new(state);
        let (orders, received) = mpsc::unbounded_channel();
        tokio::spawn(serve(port, server, Arc::clone(&state), received));
        let proxy = Self {
            address,
            state,
            orders,
        };
        proxy.set(Fault::None).await;
        proxy
    }

    /// Where clients find it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what it does, also to the connections there are. When this returns, a new
    /// connection meets the new fault.
    pub async fn set(&self, fault: Fault) {
        let (done, is_done) = oneshot::channel();
        self.orders.send((fault, done)).unwrap();
        is_done.await.unwrap();
    }

    /// What it does at the moment.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.state.borrow().fault.clone()
    }

    /// Resets every connection there is, whatever it is in the middle of.
    pub fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }
}

/// A port that stays ours while nobody listens on it.
struct Port {
    address: SocketAddr,
    _holder: TcpSocket,
}

impl Port {
    fn hold() -> io::Result<Self> {
        let holder = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self {
            address: holder.local_addr()?,
            _holder: holder,
        })
    }

    fn listen(&self) -> io::Result<TcpListener> {
        bind(self.address)?.listen(1024)
    }
}

/// A socket whose address others that say the same may have too.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Carries out orders and accepts connections until the proxy is dropped.
async fn serve(
    port: Port,
    server: SocketAddr,
    state: Arc<watch::Sender<State>>,
    mut orders: mpsc::UnboundedReceiver<(Fault, oneshot::Sender<()>)>,
) {
    let mut listener: Option<TcpListener> = None;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((fault, done)) = order else { return };
                if fault == Fault::Refuse {
                    listener = None;
                } else if listener.is_none() {
                    listener = Some(port.listen().unwrap());
                }
                state.send_modify(|state| state.fault = fault);
                let _ = done.send(());
            }
            client = accept(listener.as_ref()) => {
                let link = Link::new(&state);
                connections.spawn(link.carry(client, server));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next client; never, where nobody listens.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            None => std::future::pending().await,
            Some(listener) => {
                if let Ok((client, _)) = listener.accept().await {
                    return client;
                }
            }
        }
    }
}

/// How a connection ends.
enum End {
    /// Both sides learn that nothing more comes.
    Close,
    /// The client learns that something broke.
    Reset,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Reset
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

/// A connection.
struct Link {
    state: Arc<watch::Sender<State>>,
    /// How often all connections had been reset before this one.
    resets: u64,
    /// How many bytes went through while the fault was to cut.
    passed: AtomicU64,
}

impl Link {
    fn new(state: &Arc<watch::Sender<State>>) -> Self {
        Self {
            resets: state.borrow().resets,
            state: Arc::clone(state),
            passed: AtomicU64::new(0),
        }
    }

    /// Carries bytes both ways until the connection ends.
    async fn carry(self, mut client: TcpStream, server: SocketAddr) {
        let end = tokio::select! {
            end = self.exchange(&mut client, server) => end,
            () = self.is_reset() => Err(End::Reset),
        };
        if let Err(End::Reset) = end {
            let _ = client.set_zero_linger();
        }
    }

    async fn is_reset(&self) {
        let mut state = self.state.subscribe();
        let is_reset = |state: &State| state.fault == Fault::Refuse || state.resets != self.resets;
        // The sender is in `self`, so the channel does not end.
        let _ = state.wait_for(is_reset).await;
    }

    async fn exchange(&self, client: &mut TcpStream, server: SocketAddr) -> Result<(), End> {
        self.fault().await;
        let mut server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::try_join!(
            self.pump(from_client, to_server, Way::ToServer),
            self.pump(from_server, to_client, Way::ToClient),
        )?;
        Ok(())
    }

    /// What to do with the next bytes; waits while they go nowhere.
    async fn fault(&self) -> Fault {
        let mut state = self.state.subscribe();
        let state = state
            .wait_for(|state| state.fault != Fault::BlackHole)
            .await;
        state.map_or(Fault::None, |state| state.fault.clone())
    }

    /// Passes on what comes, one way, until nothing more does.
    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        way: Way,
    ) -> Result<(), End> {
        let mut buffer = vec![0; CHUNK];
        // The end of what was passed on: what is looked for may begin there.
        let mut before = Vec::new();
        loop {
            let read = from.read(&mut buffer).await?;
            let chunk = &buffer[..read];
            let fault = self.fault().await;
            match &fault {
                Fault::Slow {
                    latency,
                    bytes_per_second,
                } => {
                    let nanos = read as u64 * 1_000_000_000 / bytes_per_second;
                    sleep(*latency + Duration::from_nanos(nanos)).await;
                }
                Fault::CutAfter(limit) => self.pass_some(chunk, &mut to, *limit).await?,
                Fault::SwallowAnswer(wanted) if way == Way::ToClient => {
                    before.extend_from_slice(chunk);
                    if contains(&before, wanted) && self.fires(&fault) {
                        return Err(End::Reset);
                    }
                    before.drain(..before.len().saturating_sub(wanted.len() - 1));
                }
                _ => {}
            }
            if chunk.is_empty() {
                to.shutdown().await?;
                return Ok(());
            }
            to.write_all(chunk).await?;
        }
    }

    /// Passes on what may still pass, and ends the connection, if not everything may.
    async fn pass_some(
        &self,
        chunk: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        limit: u64,
    ) -> Result<(), End> {
        let passed = self.passed.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let left = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX);
        if chunk.len() <= left {
            return Ok(());
        }
        to.write_all(&chunk[..left]).await?;
        Err(End::Close)
    }

    /// Ends a fault that happens once; whether this connection is the one it happens to.
    fn fires(&self, fault: &Fault) -> bool {
        self.state.send_if_modified(|state| {
            let is_mine = state.fault == *fault;
            if is_mine {
                state.fault = Fault::None;
            }
            is_mine
        })
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, time::Instant};

    use tokio::time::timeout;

    use super::*;

    /// A server that answers with what it is sent, and the proxy before it.
    async fn echo() -> FaultProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        FaultProxy::start(address).await
    }

    async fn connect(proxy: &FaultProxy) -> TcpStream {
        TcpStream::connect(proxy.address()).await.unwrap()
    }

    /// Sends something and reads the same back.
    async fn talk(stream: &mut TcpStream, said: &[u8]) -> io::Result<()> {
        stream.write_all(said).await?;
        let mut heard = vec![0; said.len()];
        stream.read_exact(&mut heard).await?;
        assert_eq!(heard, said);
        Ok(())
    }

    async fn kind_of_end(stream: &mut TcpStream) -> ErrorKind {
        talk(stream, b"still there").await.unwrap_err().kind()
    }

    #[tokio::test]
    async fn without_a_fault_everything_passes() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        talk(&mut stream, &vec![7; 1_000]).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn refused_connections_come_back_at_the_same_address() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        talk(&mut stream, b"hello").await.unwrap();
        for _ in 0..20 {
            proxy.set(Fault::Refuse).await;
            let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            proxy.set(Fault::None).await;
            talk(&mut connect(&proxy).await, b"again").await.unwrap();
        }
        assert_eq!(
            stream.read(&mut [0]).await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
    }

    #[tokio::test]
    async fn a_black_hole_gives_back_what_it_took() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        proxy.set(Fault::BlackHole).await;
        let mut second = connect(&proxy).await;
        let moment = Duration::from_millis(100);
        assert!(timeout(moment, talk(&mut second, b"second")).await.is_err());
        stream.write_all(b"first").await.unwrap();
        assert!(timeout(moment, stream.read(&mut [0])).await.is_err());
        proxy.set(Fault::None).await;
        for (stream, expected) in [(&mut stream, "first"), (&mut second, "second")] {
            let mut heard = vec![0; expected.len()];
            stream.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, expected.as_bytes());
        }
    }

    #[tokio::test]
    async fn latency_and_bandwidth_take_their_time() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        proxy
            .set(Fault::Slow {
                latency: Duration::from_millis(50),
                bytes_per_second: 10_000,
            })
            .await;
        let began = Instant::now();
        talk(&mut stream, &[1; 1_000]).await.unwrap();
        // Both ways: 50 ms, and 1,000 bytes at 10,000 a second.
        assert!(began.elapsed() >= Duration::from_millis(300));
    }

    #[tokio::test]
    async fn connections_are_reset_and_can_be_made_again() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        talk(&mut stream, b"hello").await.unwrap();
        proxy.reset();
        assert_eq!(
            stream.read(&mut [0]).await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
        talk(&mut connect(&proxy).await, b"again").await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_is_cut_at_the_byte() {
        let proxy = echo().await;
        let mut before = connect(&proxy).await;
        talk(&mut before, &[0; 500]).await.unwrap();
        proxy.set(Fault::CutAfter(15)).await;
        for mut stream in [before, connect(&proxy).await] {
            stream.write_all(b"0123456789").await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"01234");
        }
    }

    #[tokio::test]
    async fn the_answer_is_lost_once_however_it_is_split() {
        let proxy = echo().await;
        proxy.set(Fault::SwallowAnswer(b"COMMIT\0".to_vec())).await;
        let mut stream = connect(&proxy).await;
        talk(&mut stream, b"BEGIN\0COM").await.unwrap();
        talk(&mut stream, b"MENT\0").await.unwrap();
        talk(&mut stream, b"COMM").await.unwrap();
        assert_ne!(proxy.fault(), Fault::None);
        assert_eq!(
            talk(&mut stream, b"IT\0").await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
        assert_eq!(proxy.fault(), Fault::None);
        talk(&mut connect(&proxy).await, b"COMMIT\0").await.unwrap();
    }

    #[tokio::test]
    async fn without_a_server_connections_are_reset() {
        let proxy = FaultProxy::start((Ipv4Addr::LOCALHOST, 1).into()).await;
        let mut stream = connect(&proxy).await;
        assert_eq!(kind_of_end(&mut stream).await, ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_proxy_that_is_dropped_is_gone() {
        let proxy = echo().await;
        let mut stream = connect(&proxy).await;
        talk(&mut stream, b"hello").await.unwrap();
        let address = proxy.address();
        drop(proxy);
        assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
        assert!(TcpStream::connect(address).await.is_err());
    }
}
