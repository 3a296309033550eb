//! The application: every operation, and the docs.

use actix_web::{HttpResponse, http::StatusCode, web};

use crate::{
    Gate, Problem, docs,
    generated::{auth, content, organizations, system, workflows},
    handlers::{Auth, Content, Organizations, System, Workflows},
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
    /// The server itself.
    pub system: web::Data<System>,
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
}

impl<
    A: archesai_auth::Adapters,
    O: archesai_organizations::Adapters,
    W: archesai_workflows::Adapters,
    C: archesai_content::Adapters,
> App<A, O, W, C>
{
    /// Adds the routes by which a process is watched over, and no other.
    pub fn configure_probes(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(self.gate.clone())
            .app_data(self.api.system.clone());
        system::routes::<System>(config);
        config.default_service(web::to(unknown));
    }

    /// Adds every route.
    pub fn configure(&self, config: &mut web::ServiceConfig) {
        config
            .app_data(self.api.auth.clone())
            .app_data(self.api.organizations.clone())
            .app_data(self.api.workflows.clone())
            .app_data(self.api.content.clone());
        auth::routes::<Auth<A>>(config);
        organizations::routes::<Organizations<O, A>>(config);
        workflows::routes::<Workflows<W>>(config);
        content::routes::<Content<C>>(config);
        docs::routes(config);
        self.configure_probes(config);
    }
}

async fn unknown() -> Result<HttpResponse, Problem> {
    Err(Problem::with_detail(
        StatusCode::NOT_FOUND,
        "there is no such path; /docs shows what there is",
    ))
}
