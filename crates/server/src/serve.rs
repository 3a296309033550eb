//! Running: the HTTP server and the work in the background, until somebody stops the process.

mod background;
mod reactions;
mod ready;
mod shutdown;

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{HttpServer, middleware::from_fn, web};
use anyhow::Context;
use archesai_http::{Api, App, Gate, GateParts, Live, Settings, handlers, observe};
use archesai_platform::limits::Quota;
use archesai_worker::Stop;

use crate::{
    compose::{
        AuthAdapters, ContentAdapters, Infrastructure, OrganizationsAdapters, Services,
        WorkflowsAdapters,
    },
    config::Config,
    observability,
};
use background::Background;
use ready::Ready;

/// How many clients may watch runs at once.
const MAX_WATCHERS: usize = 10_000;

/// The application over the adapters of this server.
type Application = App<AuthAdapters, OrganizationsAdapters, WorkflowsAdapters, ContentAdapters>;

/// Serves until the process is told to stop.
///
/// # Errors
///
/// If something cannot be opened, or the port is taken.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let metrics = observability::start_metrics()?;
    let infrastructure = Arc::new(Infrastructure::open(&config).await?);
    let services = Services::compose(&config, &infrastructure).await?;
    let listener = listen(&config)?;
    let address = listener.local_addr()?;
    let stop = Stop::new();
    let ready = Arc::new(Ready::new(Arc::clone(&infrastructure), stop.clone()));
    let log = infrastructure.database.store();
    let live = Arc::new(Live::start(log, &infrastructure.bus, MAX_WATCHERS));
    let background = Background::start(&stop, &config, &services, &infrastructure);
    let application = Arc::new(Application {
        api: api(&services, &live),
        gate: web::Data::new(gate(&config, &services, &infrastructure)),
        readiness: ready,
        metrics,
    });
    let server = HttpServer::new(move || {
        let application = Arc::clone(&application);
        actix_web::App::new()
            .configure(move |routes| application.configure(routes))
            .wrap(from_fn(observe))
    })
    .workers(config.http_workers)
    .client_request_timeout(config.idle_timeout)
    .shutdown_timeout(config.shutdown_timeout.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    greet(&config, &address.to_string());
    let handle = server.handle();
    let watching = tokio::spawn(shutdown::watch(stop, live, handle));
    server.await.context("the HTTP server broke down")?;
    watching.abort();
    background.end().await;
    tracing::info!("stopped");
    Ok(())
}

fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = (config.host, config.port);
    TcpListener::bind(address).with_context(|| {
        let (host, port) = address;
        format!("cannot listen on {host}:{port}; set `port` to another, or 0 for a free one")
    })
}

fn api(
    services: &Services,
    live: &Arc<Live>,
) -> Api<AuthAdapters, OrganizationsAdapters, WorkflowsAdapters, ContentAdapters> {
    Api {
        auth: web::Data::new(handlers::Auth(Arc::clone(&services.auth))),
        organizations: web::Data::new(handlers::Organizations {
            organizations: Arc::clone(&services.organizations),
            auth: Arc::clone(&services.auth),
        }),
        workflows: web::Data::new(handlers::Workflows {
            workflows: Arc::clone(&services.workflows),
            live: Arc::clone(live),
        }),
        content: web::Data::new(handlers::Content {
            content: Arc::clone(&services.content),
        }),
    }
}

fn gate(config: &Config, services: &Services, infrastructure: &Infrastructure) -> Gate {
    let quota = |name, limit| Quota {
        name,
        limit,
        window: Duration::from_mins(1),
    };
    Gate::new(GateParts {
        identities: Arc::new((
            Arc::clone(&services.auth),
            Arc::clone(&services.organizations),
        )),
        limiter: infrastructure.limiter.clone(),
        idempotency: infrastructure.database.store(),
        vault: Arc::clone(&infrastructure.vault) as _,
        clock: Arc::clone(&infrastructure.system) as _,
        ids: Arc::clone(&infrastructure.system) as _,
        settings: Settings {
            max_json_bytes: usize::try_from(config.max_json_bytes).unwrap_or(usize::MAX),
            body_timeout: config.body_timeout,
            idle_timeout: config.idle_timeout,
            max_upload_bytes: config.max_upload_bytes,
            caller_quota: quota("caller", config.caller_requests_per_minute),
            guest_quota: quota("guest", config.guest_requests_per_minute),
            trust_forwarded: config.trust_forwarded,
            ..Settings::default()
        },
    })
}

/// Says where the server is, and what to do first.
fn greet(config: &Config, address: &str) {
    let data = config.data_dir.display();
    println!("archesai listens on http://{address} (docs: http://{address}/docs)");
    println!("data lies in {data}");
    println!("the first account:");
    println!(
        "  curl -X POST http://{address}/v1/auth/register -H 'content-type: application/json' \\"
    );
    println!(
        "    -d '{{\"email\":\"you@example.com\",\"name\":\"You\",\"password\":\"choose a long one\"}}'"
    );
}
