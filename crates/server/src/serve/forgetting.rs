//! What this node remembers of what others change. It forgets it when it hears of it, and believes
//! nothing while it does not hear.
//!
//! It hears from the event log itself, which is where whoever changes something says so, and looks
//! several times a second: so it depends on no broker.

use std::time::{Duration, Instant};

use archesai_memory::Freshness;
use archesai_platform::{
    Result,
    events::{Changes, LoggedEvent, Mark},
};
use archesai_worker::Stop;
use tokio::time::{sleep, timeout};

use crate::{
    compose::{Infrastructure, Services},
    erased::platform::AnyChanges,
};

/// The kinds of things that are remembered.
const KINDS: [&str; 5] = ["user", "session", "api_key", "member", "artifact"];

/// How long what is remembered may be believed after a look: a change elsewhere counts here no
/// later than that.
const BELIEVED: Duration = Duration::from_secs(1);

/// How many changes are heard of at once.
const PIECE: u32 = 1_000;

/// How often to look.
const RHYTHM: Duration = Duration::from_millis(250);

/// Forgets what others change.
pub(super) struct Forgetting {
    services: Services,
    log: AnyChanges,
    freshness: Freshness,
}

impl Forgetting {
    pub(super) fn new(services: &Services, infrastructure: &Infrastructure) -> Self {
        Self {
            services: services.clone(),
            log: infrastructure.database.changes(),
            freshness: infrastructure.caches.freshness(),
        }
    }

    /// Looks until it is stopped.
    pub(super) async fn run(self, stop: Stop) {
        let mut mark = None;
        while !stop.is_cancelled() {
            let began = Instant::now();
            match timeout(BELIEVED, self.look(&mut mark)).await {
                Ok(Ok(())) => self.freshness.confirm(began, BELIEVED),
                Ok(Err(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "hearing what others changed");
                }
                Err(_) => tracing::warn!("hearing what others changed takes too long"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(RHYTHM) => {}
            }
        }
    }

    /// Forgets what has changed since a mark, and moves it on.
    async fn look(&self, mark: &mut Option<Mark>) -> Result<()> {
        let Some(mark) = mark else {
            *mark = Some(self.log.mark().await?);
            return Ok(());
        };
        loop {
            let piece = self.log.since(mark.clone(), &KINDS, PIECE).await?;
            for event in &piece.events {
                if let Err(error) = self.forget(event).await {
                    tracing::error!(event = %event.kind, %error, "an event that nobody understands");
                }
            }
            *mark = piece.mark;
            if piece.is_last {
                return Ok(());
            }
        }
    }

    async fn forget(&self, event: &LoggedEvent) -> serde_json::Result<()> {
        match event.aggregate_kind.as_str() {
            "user" | "session" | "api_key" => self.forget_of_auth(event).await,
            "member" => self.forget_member(event).await,
            _ => {
                self.forget_artifact(event).await;
                Ok(())
            }
        }
    }

    async fn forget_of_auth(&self, event: &LoggedEvent) -> serde_json::Result<()> {
        use archesai_auth::Event;

        let auth = &self.services.auth;
        match serde_json::from_str(&event.payload)? {
            Event::UserUpdated { user_id } => auth.forget_user(user_id).await,
            Event::SessionUpdated { session_id, .. }
            | Event::SessionRefreshed { session_id, .. }
            | Event::SessionRevoked { session_id, .. } => auth.forget_session(session_id).await,
            Event::ApiKeyDeleted { api_key_id } => auth.forget_api_key(api_key_id).await,
            _ => {}
        }
        Ok(())
    }

    async fn forget_member(&self, event: &LoggedEvent) -> serde_json::Result<()> {
        use archesai_organizations::{Event, OrganizationId};

        let place = OrganizationId(event.organization_id.unwrap_or_default());
        let organizations = &self.services.organizations;
        match serde_json::from_str(&event.payload)? {
            Event::MemberUpdated { user_id, .. } | Event::MemberRemoved { user_id, .. } => {
                organizations.forget_member(place, user_id).await;
            }
            _ => {}
        }
        Ok(())
    }

    async fn forget_artifact(&self, event: &LoggedEvent) {
        use archesai_content::{ArtifactId, OrganizationId};

        let place = OrganizationId(event.organization_id.unwrap_or_default());
        let artifact = ArtifactId(event.aggregate_id);
        self.services.content.forget_artifact(place, artifact).await;
    }
}

#[cfg(test)]
mod tests;
