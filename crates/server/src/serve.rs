//! Running: the HTTP server and the work in the background, until somebody stops the process.

mod background;
mod forgetting;
mod reactions;
mod ready;
mod scrape;
mod shutdown;

use std::{sync::Arc, time::Duration};

use actix_web::{HttpServer, middleware::from_fn, web};
use anyhow::Context;
use archesai_http::{Api, App, Brake, Gate, Guesses, Live, Room, Settings, handlers, observe};
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
use scrape::Scrape;
use shutdown::Signals;

/// How many clients may watch runs at once.
const MAX_WATCHERS: usize = 10_000;

/// How long a connection may be idle. Longer than balancers keep theirs, which is a
/// minute by default: who closes first must not be the one who is sent requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How late the clock is that the framework measures the heads of requests by: a
/// limit within it would refuse every one.
const LATE: Duration = Duration::from_millis(500);

/// How many connections may wait to be accepted. Of one that finds no place the client hears nothing,
/// and tries again after a second.
const BACKLOG: u32 = 4096;

/// The application over the adapters of this server.
type Application = App<AuthAdapters, OrganizationsAdapters, WorkflowsAdapters, ContentAdapters>;

/// What a process does of all that is to be done. Any number of each may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// Requests are answered, and nothing is done in the background.
    Api,
    /// Steps are run, artifacts indexed and events published. Of requests only those about the process
    /// itself are answered.
    Worker,
}

impl Part {
    fn answers(self) -> bool {
        self != Self::Worker
    }

    fn works(self) -> bool {
        self != Self::Api
    }
}

/// Serves until the process is told to stop.
///
/// # Errors
///
/// If something cannot be opened, or the port is taken.
pub async fn serve(config: Config, part: Part) -> anyhow::Result<()> {
    let counts = observability::start_metrics()?;
    let infrastructure = Arc::new(Infrastructure::open(&config).await?);
    let services = Services::compose(&config, &infrastructure).await?;
    let signals = Signals::listen()?;
    let stop = Stop::new();
    let ready = Arc::new(Ready::new(Arc::clone(&infrastructure), stop.clone()));
    let log = infrastructure.database.history();
    let live = Arc::new(Live::start(
        log,
        &infrastructure.bus.subscriber,
        MAX_WATCHERS,
    ));
    let system = handlers::System {
        readiness: ready,
        metrics: Arc::new(Scrape::new(counts, infrastructure.clone())),
        metrics_token: config.metrics_token.clone(),
    };
    let application = Arc::new(Application {
        api: api(&services, &live, brake(&config, &infrastructure), system),
        gate: web::Data::new(gate(&config, &services, &infrastructure, &stop)),
    });
    let server = HttpServer::new(move || {
        let application = Arc::clone(&application);
        actix_web::App::new()
            .configure(move |routes| {
                if part.answers() {
                    application.configure(routes);
                } else {
                    application.configure_probes(routes);
                }
            })
            .wrap(from_fn(observe))
    })
    .workers(config.http_workers)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(config.idle_timeout + LATE)
    .shutdown_timeout(config.shutdown_timeout.as_secs())
    .disable_signals()
    .backlog(BACKLOG)
    .bind((config.host, config.port))
    .with_context(|| cannot_listen(&config))?;
    let address = server.addrs().first().copied().context("no address")?;
    let background = Background::start(part, &stop, &config, &services, &infrastructure);
    let server = server.run();
    greet(&config, part, &address.to_string());
    let handle = server.handle();
    let watching = signals.then(config.shutdown_delay, stop, live, handle);
    let watching = tokio::spawn(watching);
    server.await.context("the HTTP server broke down")?;
    watching.abort();
    background.end().await;
    tracing::info!("stopped");
    Ok(())
}

fn cannot_listen(config: &Config) -> String {
    let (host, port) = (config.host, config.port);
    format!("cannot listen on {host}:{port}; set `port` to another, or 0 for a free one")
}

fn api(
    services: &Services,
    live: &Arc<Live>,
    brake: Brake,
    system: handlers::System,
) -> Api<AuthAdapters, OrganizationsAdapters, WorkflowsAdapters, ContentAdapters> {
    Api {
        auth: web::Data::new(handlers::Auth {
            auth: Arc::clone(&services.auth),
            brake,
        }),
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
        system: web::Data::new(system),
    }
}

fn brake(config: &Config, infrastructure: &Infrastructure) -> Brake {
    let quota = Quota {
        name: "failed_logins",
        limit: config.failed_logins_per_quarter_hour,
        window: Duration::from_mins(15),
    };
    Brake::new(infrastructure.limiter(), quota)
}

fn gate(
    config: &Config,
    services: &Services,
    infrastructure: &Infrastructure,
    stop: &Stop,
) -> Gate {
    let stop = stop.clone();
    let max_json_bytes = usize::try_from(config.max_json_bytes).unwrap_or(usize::MAX);
    let quota = |name, limit| Quota {
        name,
        limit,
        window: Duration::from_mins(1),
    };
    Gate {
        identities: Arc::new((
            Arc::clone(&services.auth),
            Arc::clone(&services.organizations),
        )),
        limiter: infrastructure.limiter(),
        idempotency: infrastructure.database.idempotency_keys(),
        vault: Arc::clone(&infrastructure.vault),
        clock: Arc::clone(&infrastructure.system) as _,
        ids: Arc::clone(&infrastructure.system) as _,
        guesses: Guesses::default(),
        room: Room::new(config.max_requests, max_json_bytes),
        stopping: Arc::new(move || stop.is_cancelled()),
        settings: Settings {
            max_json_bytes,
            body_timeout: config.body_timeout,
            idle_timeout: config.idle_timeout,
            max_upload_bytes: config.max_upload_bytes,
            caller_quota: quota("caller", config.caller_requests_per_minute),
            guest_quota: quota("guest", config.guest_requests_per_minute),
            trust_forwarded: config.trust_forwarded,
            ..Settings::default()
        },
    }
}

/// Says where the server is, and how to get in.
fn greet(config: &Config, part: Part, address: &str) {
    if !part.answers() {
        println!("archesai listens on http://{address} (/healthz, /readyz and /metrics)");
        return;
    }
    println!("archesai listens on http://{address} (docs: http://{address}/docs)");
    println!("data lies in {}", config.data_dir.display());
    println!("to make an account:");
    println!(
        "  curl -X POST http://{address}/v1/auth/register -H 'content-type: application/json' \\"
    );
    println!(
        "    -d '{{\"email\":\"you@example.com\",\"name\":\"You\",\"password\":\"choose a long one\"}}'"
    );
}
