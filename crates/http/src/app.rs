//! The application: every operation, the contract, and what is asked of a
//! server besides, behind one wrapper.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web,
};
use serde_json::json;

use crate::{
    Gate, Problem, docs,
    gate::Readiness,
    generated::{auth, content, organizations, workflows},
    handlers::{Auth, Content, Organizations, Workflows},
};

/// What the handlers work with.
pub struct Api<
    A: archesai_auth::Adapters,
    O: archesai_organizations::Adapters,
    W: archesai_workflows::Adapters,
    C: archesai_content::Adapters,
> {
    /// Users, sessions and API keys.
    pub auth: web::Data<Auth<A>>,
    /// Organizations, members and invitations.
    pub organizations: web::Data<Organizations<O, A>>,
    /// Pipelines, runs and tools.
    pub workflows: web::Data<Workflows<W>>,
    /// Artifacts, labels and search.
    pub content: web::Data<Content<C>>,
}

/// The application, to be configured into an actix `App` wrapped in [`crate::observe`].
pub struct App<
    A: archesai_auth::Adapters,
    O: archesai_organizations::Adapters,
    W: archesai_workflows::Adapters,
    C: archesai_content::Adapters,
> {
    /// The handlers.
    pub api: Api<A, O, W, C>,
    /// What every request passes.
    pub gate: web::Data<Gate>,
    /// Whether what the server depends on can be reached.
    pub readiness: Arc<dyn Readiness>,
    /// Writes the metrics in the text format of Prometheus.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl<
    A: archesai_auth::Adapters,
    O: archesai_organizations::Adapters,
    W: archesai_workflows::Adapters,
    C: archesai_content::Adapters,
> App<A, O, W, C>
{
    /// Adds every route.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(self.gate.clone())
            .app_data(self.api.auth.clone())
            .app_data(self.api.organizations.clone())
            .app_data(self.api.workflows.clone())
            .app_data(self.api.content.clone())
            .app_data(web::Data::from(Arc::clone(&self.readiness)))
            .app_data(web::Data::from(Arc::clone(&self.metrics)));
        auth::routes::<Auth<A>>(config);
        organizations::routes::<Organizations<O, A>>(config);
        workflows::routes::<Workflows<W>>(config);
        content::routes::<Content<C>>(config);
        docs::routes(config);
        config
            .route("/healthz", web::get().to(alive))
            .route("/readyz", web::get().to(ready))
            .route("/metrics", web::get().to(metrics))
            .default_service(web::to(unknown));
    }
}

/// Whether the process is alive.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether the server can do its work: one line for each dependency.
async fn ready(readiness: web::Data<dyn Readiness>) -> HttpResponse {
    let checks = readiness.check().await;
    let well = checks.iter().all(|(_, fault)| fault.is_none());
    let lines: Vec<String> = checks
        .into_iter()
        .map(|(name, fault)| format!("{name}: {}", fault.unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let status = if well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .body(lines.join("\n") + "\n")
}

async fn metrics(render: web::Data<dyn Fn() -> String + Send + Sync>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4"))
        .body(render())
}

async fn unknown() -> Result<HttpResponse, Problem> {
    Err(Problem::with_detail(
        StatusCode::NOT_FOUND,
        "there is no such path; /docs shows what there is",
    ))
}
