//! What the server is measured against by `cargo xtask bench`: the framework
//! with the settings of the server and nothing else to do than answer a
//! constant at `/constant`, and the hash of a password alone at `/hash`.
//!
//! `cargo run --release --example baseline`

use std::{net::TcpListener, thread, time::Duration};

use actix_web::{App, HttpServer, Responder, error::ErrorInternalServerError, web};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::Serialize;

// As in the server: the allocator is part of what is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An answer with the members and the size of a user.
#[derive(Serialize)]
struct Constant {
    id: &'static str,
    email: &'static str,
    name: &'static str,
    created_at: &'static str,
    updated_at: &'static str,
}

async fn constant() -> impl Responder {
    web::Json(Constant {
        id: "019a6f0e-7c1a-7b3e-8a53-1f6d2c9b4e70",
        email: "bench@example.com",
        name: "bench",
        created_at: "2026-01-01T00:00:00.000000Z",
        updated_at: "2026-01-01T00:00:00.000000Z",
    })
}

/// Hashes a password as the server does: argon2id, 19 MiB, two passes, one lane.
async fn hash() -> actix_web::Result<impl Responder> {
    let hashed = web::block(|| {
        let parameters = Params::new(19 * 1024, 2, 1, Some(32))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
        let mut hash = [0; 32];
        argon2.hash_password_into(b"correct horse", b"sixteen bytes of", &mut hash)?;
        Ok::<_, argon2::Error>(hash)
    });
    let hash = hashed
        .await?
        .map_err(|error| ErrorInternalServerError(error.to_string()))?;
    Ok(web::Json(hash))
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(|| {
        App::new()
            .route("/constant", web::get().to(constant))
            .route("/hash", web::get().to(hash))
    })
    .workers(thread::available_parallelism().map_or(1, usize::from))
    .client_request_timeout(Duration::from_secs(30))
    .listen(listener)?
    .run();
    println!("the baseline listens on http://{address}");
    server.await
}
