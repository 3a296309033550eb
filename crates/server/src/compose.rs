//! The composition root: which adapter is behind which port.

mod audit;
mod auth;
mod blobs;
mod bus;
mod caches;
mod capabilities;
mod content;
mod database;
mod infrastructure;
mod keys;
mod organizations;
mod translate;
mod usage;
mod workflows;

use std::sync::Arc;

pub use audit::open_trail;
pub use auth::AuthAdapters;
pub use content::ContentAdapters;
pub(crate) use database::Database;
pub(crate) use infrastructure::open_database;
pub use infrastructure::{Infrastructure, migrate};
pub use keys::{Rotated, rotate_keys};
pub use organizations::OrganizationsAdapters;
pub(crate) use usage::UsageProjection;
pub use workflows::WorkflowsAdapters;

use crate::config::Config;

/// The use cases of every domain, on the adapters that the configuration names.
#[derive(Clone)]
pub struct Services {
    /// Users, sessions and API keys.
    pub auth: Arc<archesai_auth::Service<AuthAdapters>>,
    /// Organizations, members and invitations.
    pub organizations: Arc<archesai_organizations::Service<OrganizationsAdapters>>,
    /// Artifacts and search.
    pub content: Arc<archesai_content::Service<ContentAdapters>>,
    /// Pipelines and runs.
    pub workflows: Arc<archesai_workflows::Service<WorkflowsAdapters>>,
}

impl Services {
    /// Puts the services together.
    ///
    /// # Errors
    ///
    /// If an adapter cannot be opened.
    pub async fn compose(config: &Config, infrastructure: &Infrastructure) -> anyhow::Result<Self> {
        let organizations = Arc::new(organizations::compose(config, infrastructure));
        let auth = auth::compose(config, infrastructure, &organizations).await?;
        let content = Arc::new(content::compose(config, infrastructure).await?);
        let workflows = workflows::compose(config, infrastructure, &content)?;
        Ok(Self {
            auth: Arc::new(auth),
            organizations,
            content,
            workflows: Arc::new(workflows),
        })
    }
}
