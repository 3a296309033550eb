//! What the framework alone can do: the HTTP server with the settings of the
//! real one, answering a constant at `/constant` and asking nobody anything.
//! `cargo xtask bench read` measures the server against it.
//!
//! `cargo run --release --example constant`

use std::{net::TcpListener, thread, time::Duration};

use actix_web::{App, HttpServer, Responder, web};
use serde::Serialize;

// As in the real server: the allocator is part of what is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An answer with the shape and the size of a user.
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

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(|| App::new().route("/constant", web::get().to(constant)))
        .workers(thread::available_parallelism().map_or(1, usize::from))
        .client_request_timeout(Duration::from_secs(30))
        .listen(listener)?
        .run();
    println!("constant listens on http://{address}");
    server.await
}
