//! The S3 server of the tests: s3s over a folder. It checks signatures and checksums as S3 does,
//! and of several who put one key with `If-None-Match` at once, one wins.
//!
//! Called with the folder and the address to listen on. Every folder below the first is a bucket.
//! The access key is `archesai`, its secret `archesai-secret`.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    error::Error,
    hash::{Hash as _, Hasher as _},
    sync::Arc,
};

use hyper::{Request, body::Incoming, header::IF_NONE_MATCH, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// How many keys can be put conditionally at the same time, unless their hashes agree.
const LOCKS: usize = 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(folder), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("takes a folder and an address to listen on".into());
    };
    let files = FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single("archesai", "archesai-secret"));
    let service = builder.build();
    let locks: Arc<[Mutex<()>]> = (0..LOCKS).map(|_| Mutex::new(())).collect();
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(stream, service.clone(), Arc::clone(&locks)));
    }
}

/// Answers the requests of one connection.
async fn serve(stream: TcpStream, service: S3Service, locks: Arc<[Mutex<()>]>) {
    let answer = |request: Request<Incoming>| {
        let (service, locks) = (service.clone(), Arc::clone(&locks));
        async move {
            // s3s looks whether the key is there, and then writes: nobody may come between.
            let _turn = if request.headers().contains_key(IF_NONE_MATCH) {
                Some(locks[lock_of(request.uri().path())].lock().await)
            } else {
                None
            };
            service.call(request.map(s3s::Body::from)).await
        }
    };
    let server = Builder::new(TokioExecutor::new());
    let connection = server.serve_connection(TokioIo::new(stream), service_fn(answer));
    if let Err(error) = connection.await {
        eprintln!("a connection ended: {error}");
    }
}

fn lock_of(path: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default()
}
