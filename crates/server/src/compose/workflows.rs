//! Workflows, composed.

use std::sync::Arc;

use archesai_tools::{Language, Parts, Slots, Toolbox};
use archesai_workflows::{Adapters, Definitions, Service, Settings, engine::Policy};

use crate::{
    compose::{
        ContentAdapters, Infrastructure,
        capabilities::{self, SharedArtifacts},
        translate::Woken,
    },
    config::Config,
    erased::workflows::AnyStore,
};

/// The adapters of workflows.
pub struct WorkflowsAdapters;

impl Adapters for WorkflowsAdapters {
    type Store = AnyStore;
    type Toolbox = Toolbox;
    type Expressions = Language;
}

pub(super) fn compose(
    config: &Config,
    infrastructure: &Infrastructure,
    content: &Arc<archesai_content::Service<ContentAdapters>>,
) -> anyhow::Result<Service<WorkflowsAdapters>> {
    let parts = Parts {
        artifacts: Arc::new(SharedArtifacts(Arc::clone(content))),
        language_model: capabilities::language_model(config)?,
        web: capabilities::web(config)?,
        extractor: content.extractor.clone(),
        clock: Arc::clone(&infrastructure.system) as _,
    };
    Ok(Service {
        store: infrastructure.database.workflows_store(),
        toolbox: Arc::new(Toolbox::new(&parts)?),
        expressions: Arc::new(Language),
        pool: Arc::new(Slots::default()),
        wakeups: Arc::new(Woken(infrastructure.bus.steps.clone())),
        clock: Arc::clone(&infrastructure.system) as _,
        ids: Arc::clone(&infrastructure.system) as _,
        definitions: Definitions::default(),
        settings: Settings {
            lease: config.step_lease,
            step_timeout: config.step_timeout,
            policy: Policy {
                retry_scale: config.retry_scale,
                ..Policy::default()
            },
            ..Settings::default()
        },
    })
}
