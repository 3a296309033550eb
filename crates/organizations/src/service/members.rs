//! Seeing, changing and removing members.

use crate::{
    Actor, Cache, Error, Event, Member, MemberId, OrganizationId, Page, Result, Role, Service,
    Slice, UserId,
    ports::{Repository, Scope, Sort, Store, Transaction},
    read_through,
    service::Adapters,
};

impl<A: Adapters> Service<A> {
    /// The membership of a user, asking the cache first; `None` if they do not belong.
    pub async fn membership(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Member>> {
        let ttl = self.settings.cache_ttl;
        read_through(&self.members, &(organization, user), ttl, || {
            self.store.find_member_of(organization, user)
        })
        .await
    }

    /// The members of an organization.
    pub async fn members_of(
        &self,
        organization: OrganizationId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Member>> {
        self.store.list_members(organization, slice).await
    }

    /// Finds a member.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]
    pub async fn member(&self, organization: OrganizationId, id: MemberId) -> Result<Member> {
        let found = self.store.find_member(organization, id).await?;
        found.ok_or(Error::NotFound)
    }

    /// Gives a member another role, if the one they have is the one expected.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::VersionConflict`], [`Error::RoleTooSmall`] if the actor is no owner and
    /// the change makes or unmakes one, [`Error::LastOwner`]
    pub async fn change_role(
        &self,
        actor: Actor,
        organization: OrganizationId,
        id: MemberId,
        expected: Option<Role>,
        role: Role,
    ) -> Result<Member> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        transaction.lock_organization(organization).await?;
        let found = transaction.find_member(organization, id).await?;
        let mut member = found.ok_or(Error::NotFound)?;
        if expected.is_some_and(|expected| expected != member.role) {
            return Err(Error::VersionConflict);
        }
        if member.role == role {
            return Ok(member);
        }
        if member.role == Role::Owner || role == Role::Owner {
            owners_only(actor)?;
        }
        if member.role == Role::Owner {
            keep_an_owner(&transaction, organization).await?;
        }
        member.role = role;
        transaction
            .update_member_role(organization, id, role)
            .await?;
        let event = Event::MemberUpdated {
            member_id: id,
            user_id: member.user_id,
            role,
        };
        transaction
            .record(&self.event(organization, actor.user_id, event))
            .await?;
        transaction.commit().await?;
        self.forget_member(organization, member.user_id).await;
        Ok(member)
    }

    /// Removes a member. Everybody may leave; removing others takes an admin,
    /// and removing an owner takes an owner.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::RoleTooSmall`], [`Error::LastOwner`]
    pub async fn remove_member(
        &self,
        actor: Actor,
        organization: OrganizationId,
        id: MemberId,
    ) -> Result<()> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        transaction.lock_organization(organization).await?;
        let found = transaction.find_member(organization, id).await?;
        let member = found.ok_or(Error::NotFound)?;
        if member.user_id != actor.user_id {
            if actor.role < Role::Admin {
                return Err(Error::RoleTooSmall("admin"));
            }
            if member.role == Role::Owner {
                owners_only(actor)?;
            }
        }
        if member.role == Role::Owner {
            keep_an_owner(&transaction, organization).await?;
        }
        transaction.delete_member(organization, id).await?;
        self.give_up_home(&transaction, organization, member.user_id)
            .await?;
        let event = Event::MemberRemoved {
            member_id: id,
            user_id: member.user_id,
        };
        transaction
            .record(&self.event(organization, actor.user_id, event))
            .await?;
        transaction.commit().await?;
        self.forget_member(organization, member.user_id).await;
        Ok(())
    }

    /// Makes an organization nobody's personal one once they have left it, so that they can
    /// have another.
    async fn give_up_home(
        &self,
        repository: &impl Repository,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<()> {
        let found = repository.find_organization(organization).await?;
        let Some(mut home) = found.filter(|found| found.personal_of == Some(user)) else {
            return Ok(());
        };
        home.personal_of = None;
        home.version += 1;
        home.updated_at = self.clock.now();
        repository.update_organization(&home).await
    }

    /// Drops what this node remembers of a membership that changed on another node.
    pub async fn forget_member(&self, organization: OrganizationId, user: UserId) {
        _ = self.members.remove(&(organization, user)).await;
    }
}

/// Refuses what only owners may do.
pub(super) fn owners_only(actor: Actor) -> Result<()> {
    if actor.role == Role::Owner {
        Ok(())
    } else {
        Err(Error::RoleTooSmall("owner"))
    }
}

/// Refuses to take the last owner away. The organization must be locked.
async fn keep_an_owner(repository: &impl Repository, organization: OrganizationId) -> Result<()> {
    if repository.count_owners(organization).await? > 1 {
        Ok(())
    } else {
        Err(Error::LastOwner)
    }
}
