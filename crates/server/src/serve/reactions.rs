//! What one domain does because of an event of another, and what this node
//! forgets because of any. The relay calls it before it tells anybody else, and
//! again until it succeeds: a reaction is never lost, and may come twice.

use archesai_platform::{
    Error, Result,
    events::{LoggedEvent, Publisher},
};

use crate::compose::Services;

/// Reacts to events, then publishes them.
pub(super) struct Reactions<P> {
    pub(super) services: Services,
    pub(super) then: P,
}

impl<P: Publisher> Publisher for Reactions<P> {
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        if let Err(error) = self.react(event).await? {
            // Trying again would not help, and would hold up every event after it.
            tracing::error!(event = %event.kind, %error, "an event that nobody understands");
            metrics::counter!("archesai_events_not_understood_total").increment(1);
        }
        self.then.publish(event).await
    }
}

/// Whether an event could be understood.
type Understood = std::result::Result<(), serde_json::Error>;

impl<P: Publisher> Reactions<P> {
    async fn react(&self, event: &LoggedEvent) -> Result<Understood> {
        match event.aggregate_kind.as_str() {
            "user" | "session" | "api_key" => Ok(self.auth(event).await),
            "organization" | "member" => self.organizations(event).await,
            "artifact" => Ok(self.content(event).await),
            _ => Ok(Ok(())),
        }
    }

    async fn auth(&self, event: &LoggedEvent) -> Understood {
        use archesai_auth::Event;

        let auth = &self.services.auth;
        match read(event)? {
            Event::UserUpdated { user_id } => auth.forget_user(user_id).await,
            Event::SessionUpdated { session_id, .. }
            | Event::SessionRefreshed { session_id, .. }
            | Event::SessionRevoked { session_id, .. } => auth.forget_session(session_id).await,
            Event::ApiKeyDeleted { api_key_id } => auth.forget_api_key(api_key_id).await,
            _ => {}
        }
        Ok(())
    }

    async fn organizations(&self, event: &LoggedEvent) -> Result<Understood> {
        use archesai_organizations::{Event, OrganizationId};

        let place = OrganizationId(event.organization_id.unwrap_or_default());
        let read = match read(event) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        match read {
            Event::OrganizationDeleted { organization_id } => {
                let owner = archesai_content::OrganizationId(organization_id.0);
                let begun = self.services.content.begin_erasure(owner).await;
                begun.map_err(Error::unavailable)?;
            }
            Event::MemberUpdated { user_id, .. } | Event::MemberRemoved { user_id, .. } => {
                self.services
                    .organizations
                    .forget_member(place, user_id)
                    .await;
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    async fn content(&self, event: &LoggedEvent) -> Understood {
        use archesai_content::{ArtifactId, OrganizationId};

        let place = OrganizationId(event.organization_id.unwrap_or_default());
        let artifact = ArtifactId(event.aggregate_id);
        self.services.content.forget_artifact(place, artifact).await;
        Ok(())
    }
}

fn read<E: serde::de::DeserializeOwned>(event: &LoggedEvent) -> serde_json::Result<E> {
    serde_json::from_str(&event.payload)
}

#[cfg(test)]
mod tests;
