//! Inviting people, and what they make of it.

use crate::{
    Actor, Error, Event, Invitation, InvitationId, InvitationStatus, Member, MemberId,
    OrganizationId, Page, Result, Role, Service, Slice, UserId,
    ports::{OpaqueTokens, Repository, Scope, Sort, Store, Transaction},
    service::{Adapters, members::owners_only},
};

/// What invitation tokens begin with, so that people and scanners recognise them.
const PREFIX: &str = "ari_";

/// Whom to invite.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    /// The identity it gets; the same one again where the request may have been carried out before.
    pub id: InvitationId,
    /// Their address, checked and in lower case.
    pub email: String,
    /// As what.
    pub role: Role,
}

impl<A: Adapters> Service<A> {
    /// Invites somebody, and answers the token, which is never shown again. Earlier invitations of
    /// theirs to this organization are taken back: the newest counts.
    ///
    /// # Errors
    ///
    /// [`Error::RoleTooSmall`] if the actor would give more than they may;
    /// [`Error::AlreadyExists`] if the identity is taken: were it by this very request, its
    /// token is lost all the same.
    pub async fn invite(
        &self,
        actor: Actor,
        organization: OrganizationId,
        new: NewInvitation,
    ) -> Result<(Invitation, String)> {
        if new.role == Role::Owner {
            owners_only(actor)?;
        }
        let now = self.clock.now();
        let token = self.opaque_tokens.generate(PREFIX);
        let invitation = Invitation {
            id: new.id,
            organization_id: organization,
            email: new.email,
            role: new.role,
            status: InvitationStatus::Pending,
            invited_by: actor.user_id,
            created_at: now,
            expires_at: now + self.settings.invitation_ttl,
        };
        let event = Event::InvitationCreated {
            invitation_id: invitation.id,
            email: invitation.email.clone(),
            role: invitation.role,
        };
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        transaction.lock_organization(organization).await?;
        let earlier = transaction
            .pending_invitations_to(organization, &invitation.email)
            .await?;
        transaction
            .insert_invitation(&invitation, &self.opaque_tokens.digest(&token))
            .await?;
        for id in earlier {
            self.revoke(&transaction, actor, organization, id).await?;
        }
        transaction
            .record(&self.event(organization, actor.user_id, event))
            .await?;
        transaction.commit().await?;
        Ok((invitation, token))
    }

    /// The open invitations of an organization.
    pub async fn invitations(
        &self,
        organization: OrganizationId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Invitation>> {
        let now = self.clock.now();
        self.store.list_invitations(organization, now, slice).await
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the organization has no such pending invitation.
    pub async fn revoke_invitation(
        &self,
        actor: Actor,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<()> {
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        if !self.revoke(&transaction, actor, organization, id).await? {
            return Err(Error::NotFound);
        }
        transaction.commit().await
    }

    /// Takes an invitation back, if it is pending; answers whether it was.
    async fn revoke(
        &self,
        repository: &impl Repository,
        actor: Actor,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<bool> {
        let settled = repository
            .settle_invitation(organization, id, InvitationStatus::Revoked)
            .await?;
        if settled {
            let event = Event::InvitationRevoked { invitation_id: id };
            let event = self.event(organization, actor.user_id, event);
            repository.record(&event).await?;
        }
        Ok(settled)
    }

    /// Accepts an invitation: the user becomes a member.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] for a token we never gave out, [`Error::WrongInvitee`],
    /// [`Error::InvitationClosed`], [`Error::AlreadyAMember`]
    pub async fn accept_invitation(
        &self,
        token: &str,
        user: UserId,
        email: &str,
    ) -> Result<Member> {
        let invitation = self.open_invitation(token, email).await?;
        let organization = invitation.organization_id;
        let member = Member {
            id: MemberId(self.ids.next()),
            user_id: user,
            organization_id: organization,
            role: invitation.role,
            created_at: self.clock.now(),
        };
        let added = Event::MemberAdded {
            member_id: member.id,
            user_id: user,
            role: member.role,
        };
        let accepted = Event::InvitationAccepted {
            invitation_id: invitation.id,
            user_id: user,
        };
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let settled = transaction
            .settle_invitation(organization, invitation.id, InvitationStatus::Accepted)
            .await?;
        if !settled {
            return Err(Error::InvitationClosed);
        }
        transaction.insert_member(&member).await?;
        for event in [accepted, added] {
            let event = self.event(organization, user, event);
            transaction.record(&event).await?;
        }
        transaction.commit().await?;
        Ok(member)
    }

    /// Declines an invitation.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::WrongInvitee`], [`Error::InvitationClosed`]
    pub async fn decline_invitation(&self, token: &str, user: UserId, email: &str) -> Result<()> {
        let invitation = self.open_invitation(token, email).await?;
        let organization = invitation.organization_id;
        let event = Event::InvitationDeclined {
            invitation_id: invitation.id,
        };
        let transaction = self.store.begin(Scope::Organization(organization)).await?;
        let settled = transaction
            .settle_invitation(organization, invitation.id, InvitationStatus::Declined)
            .await?;
        if !settled {
            return Err(Error::InvitationClosed);
        }
        transaction
            .record(&self.event(organization, user, event))
            .await?;
        transaction.commit().await
    }

    async fn open_invitation(&self, token: &str, email: &str) -> Result<Invitation> {
        let digest = self.opaque_tokens.digest(token);
        let found = self.store.find_invitation_by_token(&digest).await?;
        let invitation = found.ok_or(Error::NotFound)?;
        if !invitation.email.eq_ignore_ascii_case(email) {
            return Err(Error::WrongInvitee);
        }
        if !invitation.is_open(self.clock.now()) {
            return Err(Error::InvitationClosed);
        }
        Ok(invitation)
    }
}
