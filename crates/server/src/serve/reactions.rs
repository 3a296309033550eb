//! What one domain does because of an event of another. The relay calls it before it tells
//! anybody else, and again until it succeeds: a reaction is never lost, and may come twice.

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
        use archesai_organizations::Event;

        if !["organization", "member"].contains(&event.aggregate_kind.as_str()) {
            return Ok(Ok(()));
        }
        match serde_json::from_str(&event.payload) {
            Ok(Event::OrganizationDeleted { organization_id }) => {
                let owner = archesai_content::OrganizationId(organization_id.0);
                let begun = self.services.content.begin_erasure(owner).await;
                begun.map_err(Error::unavailable)?;
            }
            Ok(Event::MemberRemoved { user_id, .. }) => {
                use archesai_auth::{OrganizationId, UserId};

                let place = OrganizationId(event.organization_id.unwrap_or_default());
                let (user, actor) = (UserId(user_id.0), event.actor_id.map(UserId));
                let auth = &self.services.auth;
                let taken = auth.take_back_api_keys(place, user, actor, event.occurred_at);
                taken.await.map_err(Error::unavailable)?;
            }
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }
}
