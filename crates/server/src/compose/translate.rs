//! Where the domains meet: what one needs of another, in its own words.

use std::sync::Arc;

use archesai_auth::{Error, OrganizationId, Result, User, UserId, ports::Memberships};
use archesai_bus::Wakeups;
use archesai_organizations::Service;
use archesai_platform::wakeups::Wakeups as _;

use crate::compose::OrganizationsAdapters;

/// Tells auth who belongs where.
pub struct Homes(pub(super) Arc<Service<OrganizationsAdapters>>);

impl Memberships for Homes {
    async fn home(&self, user: &User) -> Result<OrganizationId> {
        let id = archesai_organizations::UserId(user.id.0);
        let home = self.0.home(id, &user.name).await;
        Ok(OrganizationId(home.map_err(Error::unavailable)?.0))
    }

    async fn role(&self, user: UserId, organization: OrganizationId) -> Result<Option<String>> {
        let organization = archesai_organizations::OrganizationId(organization.0);
        let user = archesai_organizations::UserId(user.0);
        let member = self.0.membership(organization, user).await;
        let member = member.map_err(Error::unavailable)?;
        Ok(member.map(|member| member.role.to_string()))
    }
}

/// Tells whoever waits, on whichever node, that there is work of a domain.
pub struct Woken(pub(super) Wakeups);

impl archesai_content::ports::Wakeups for Woken {
    fn wake(&self) {
        self.0.wake();
    }
}

impl archesai_workflows::ports::Wakeups for Woken {
    fn wake(&self) {
        self.0.wake();
    }
}
