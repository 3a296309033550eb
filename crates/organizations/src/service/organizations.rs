//! Making, changing and deleting organizations.

use crate::{
    Error, Event, Member, MemberId, Membership, Organization, OrganizationId, Page, Plan, Result,
    Role, Service, Slice, UserId,
    organization::check_name,
    ports::{Repository, Scope, Sort, Store, Transaction},
    service::Adapters,
};

impl<A: Adapters> Service<A> {
    /// Makes an organization with its maker as owner; answers the one that the user
    /// belongs to already under this identity.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name; [`Error::AlreadyExists`] if the identity is another's.
    pub async fn create(&self, user: UserId, id: OrganizationId, name: &str) -> Result<Membership> {
        match self.found(user, id, name, None).await {
            Err(Error::AlreadyExists) => {
                let member = self.store.find_member_of(id, user).await?;
                let organization = self.store.find_organization(id).await?;
                let (Some(member), Some(organization)) = (member, organization) else {
                    return Err(Error::AlreadyExists);
                };
                Ok(Membership {
                    organization,
                    role: member.role,
                })
            }
            made => made,
        }
    }

    /// Where a user works when they sign in: their personal organization, or
    /// else the first they joined, or else a personal one made now.
    pub async fn home(&self, user: UserId, user_name: &str) -> Result<OrganizationId> {
        if let Some(home) = self.find_home(user).await? {
            return Ok(home);
        }
        let id = OrganizationId(self.ids.next());
        let name = personal_name(user_name);
        match self.found(user, id, &name, Some(user)).await {
            Ok(membership) => Ok(membership.organization.id),
            // Another sign-in was faster.
            Err(Error::AlreadyHasPersonal) => self.find_home(user).await?.ok_or(Error::NotFound),
            Err(error) => Err(error),
        }
    }

    /// The organizations a user belongs to.
    pub async fn memberships(&self, user: UserId, slice: &Slice<Sort>) -> Result<Page<Membership>> {
        self.store.list_memberships(user, slice).await
    }

    /// Finds an organization.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        self.store
            .find_organization(id)
            .await?
            .ok_or(Error::NotFound)
    }

    /// Changes an organization, if the stored version is one of those expected.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], [`Error::NotFound`] or [`Error::VersionConflict`]
    pub async fn update(
        &self,
        actor: UserId,
        id: OrganizationId,
        expected: Option<&[u64]>,
        name: Option<String>,
    ) -> Result<Organization> {
        let mut organization = self.organization(id).await?;
        if expected.is_some_and(|expected| !expected.contains(&organization.version)) {
            return Err(Error::VersionConflict);
        }
        if let Some(name) = name {
            organization.name = check_name(&name)?;
        }
        organization.version += 1;
        organization.updated_at = self.clock.now();
        let event = Event::OrganizationUpdated {
            organization_id: id,
            name: organization.name.clone(),
        };
        let transaction = self.store.begin(Scope::Organization(id)).await?;
        transaction.update_organization(&organization).await?;
        transaction.record(&self.event(id, actor, event)).await?;
        transaction.commit().await?;
        Ok(organization)
    }

    /// Deletes an organization with all that belongs to it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn delete(&self, actor: UserId, id: OrganizationId) -> Result<()> {
        let everyone = Slice {
            limit: u32::MAX - 1,
            after: None,
            sort: Sort::CreatedAt,
            descending: false,
        };
        let transaction = self.store.begin(Scope::Organization(id)).await?;
        transaction.lock_organization(id).await?;
        let members = transaction.list_members(id, &everyone).await?.items;
        if !transaction.delete_organization(id).await? {
            return Err(Error::NotFound);
        }
        // Every node forgets the members by events of their own.
        let removed = members.iter().map(|member| Event::MemberRemoved {
            member_id: member.id,
            user_id: member.user_id,
        });
        let deleted = Event::OrganizationDeleted {
            organization_id: id,
        };
        for event in removed.chain([deleted]) {
            transaction.record(&self.event(id, actor, event)).await?;
        }
        transaction.commit().await?;
        for member in members {
            self.forget_member(id, member.user_id).await;
        }
        Ok(())
    }

    async fn find_home(&self, user: UserId) -> Result<Option<OrganizationId>> {
        if let Some(personal) = self.store.find_personal(user).await?
            && self
                .store
                .find_member_of(personal.id, user)
                .await?
                .is_some()
        {
            return Ok(Some(personal.id));
        }
        let first = Slice {
            limit: 1,
            after: None,
            sort: Sort::CreatedAt,
            descending: false,
        };
        let memberships = self.store.list_memberships(user, &first).await?;
        Ok(memberships.items.first().map(|found| found.organization.id))
    }

    async fn found(
        &self,
        user: UserId,
        id: OrganizationId,
        name: &str,
        personal_of: Option<UserId>,
    ) -> Result<Membership> {
        let now = self.clock.now();
        let organization = Organization {
            id,
            name: check_name(name)?,
            plan: Plan::default(),
            credits: 0,
            personal_of,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let owner = Member {
            id: MemberId(self.ids.next()),
            user_id: user,
            organization_id: id,
            role: Role::Owner,
            created_at: now,
        };
        let created = Event::OrganizationCreated {
            organization_id: id,
            name: organization.name.clone(),
        };
        let added = Event::MemberAdded {
            member_id: owner.id,
            user_id: user,
            role: owner.role,
        };
        let transaction = self.store.begin(Scope::Organization(id)).await?;
        transaction.insert_organization(&organization).await?;
        transaction.insert_member(&owner).await?;
        transaction.record(&self.event(id, user, created)).await?;
        transaction.record(&self.event(id, user, added)).await?;
        transaction.commit().await?;
        Ok(Membership {
            organization,
            role: owner.role,
        })
    }
}

/// What a user's personal organization is called.
fn personal_name(user_name: &str) -> String {
    let name: String = user_name.chars().take(180).collect();
    format!("{name}'s organization")
}
