//! A program around a store: the organizations domain with stand-ins for tokens,
//! cache and clock.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use archesai_organizations::{
    Actor, Adapters, Invitation, InvitationId, Member, Membership, NewInvitation, OrganizationId,
    Role, Service, Settings, UserId,
    ports::{OpaqueTokens, Store, TokenDigest},
};

use crate::{
    fakes::{Gate, Hand, Shelf},
    fresh,
};

/// The domain over a store.
pub struct Program<S: Store> {
    /// The use cases.
    pub organizations: Service<Fakes<S>>,
    /// Tells the time.
    pub clock: Arc<Hand>,
    /// Holds calls up: at `put`, when the cache is filled.
    pub gate: Gate,
}

/// The adapters of a [`Program`].
pub struct Fakes<S>(PhantomData<S>);

impl<S: Store> Adapters for Fakes<S> {
    type Store = S;
    type Members = Shelf<(OrganizationId, UserId), Member>;
    type OpaqueTokens = Plain;
}

impl<S: Store> Program<S> {
    /// Sets the domain up over a store.
    pub fn new(store: S) -> Self {
        let (clock, gate) = (Arc::new(Hand::default()), Gate::default());
        let organizations = Service {
            store,
            members: Shelf::new(&gate),
            opaque_tokens: Plain,
            clock: Arc::clone(&clock) as _,
            ids: Arc::clone(&clock) as _,
            settings: Settings::default(),
        };
        Self {
            organizations,
            clock,
            gate,
        }
    }

    /// Makes an organization, and answers it with its owner.
    pub async fn found(&self) -> (OrganizationId, Member) {
        let (owner, id) = (UserId(fresh()), OrganizationId(fresh()));
        let made = self.organizations.create(owner, id, "Engines").await;
        let Membership { organization, .. } = made.unwrap();
        (organization.id, self.member(organization.id, owner).await)
    }

    /// Somebody's membership.
    pub async fn member(&self, organization: OrganizationId, user: UserId) -> Member {
        let member = self.organizations.membership(organization, user).await;
        member.unwrap().unwrap()
    }

    /// Has somebody new join by invitation.
    pub async fn join(&self, owner: &Member, role: Role) -> Member {
        let user = UserId(fresh());
        let (_, token) = self.invite(owner, user, role).await;
        let email = email(user);
        let joined = self
            .organizations
            .accept_invitation(&token, user, &email)
            .await;
        joined.unwrap()
    }

    /// Invites a user.
    pub async fn invite(&self, by: &Member, user: UserId, role: Role) -> (Invitation, String) {
        let new = NewInvitation {
            id: InvitationId(fresh()),
            email: email(user),
            role,
        };
        let invited = self
            .organizations
            .invite(actor(by), by.organization_id, new)
            .await;
        invited.unwrap()
    }

    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }
}

/// The address of a user.
pub fn email(user: UserId) -> String {
    format!("{user}@example.com")
}

/// A member as the one who acts.
pub fn actor(member: &Member) -> Actor {
    Actor {
        user_id: member.user_id,
        role: member.role,
    }
}

/// Makes tokens that are their own digests.
pub struct Plain;

impl OpaqueTokens for Plain {
    fn generate(&self, prefix: &str) -> String {
        format!("{prefix}{:x}", fresh())
    }

    fn digest(&self, token: &str) -> TokenDigest {
        let mut digest = [0; 32];
        let length = token.len().min(digest.len());
        digest[..length].copy_from_slice(&token.as_bytes()[..length]);
        digest
    }
}
