//! What organizations needs from the outside world.
//!
//! Every method may fail with [`Error::Unavailable`](crate::Error::Unavailable);
//! the other errors a method may give are said at the method, and adapters give
//! them for that reason only. A thing of another organization than the one
//! named is treated as one that does not exist.

use std::{collections::BTreeMap, time::SystemTime};

use crate::{
    Counts, Cursor, DailyUsage, Day, Invitation, InvitationId, InvitationStatus, Member, MemberId,
    Membership, Organization, OrganizationId, Page, Recorded, Result, Role, Slice, Tally, UserId,
};

/// The SHA-256 of a token: the only form in which tokens are kept.
pub type TokenDigest = [u8; 32];

/// What a transaction may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One tenant.
    Organization(OrganizationId),
    /// Every tenant: for what a user does across their organizations.
    System,
}

/// What lists of this domain are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// When it came into being.
    CreatedAt,
}

/// Reads and writes what organizations owns.
///
/// A pool of connections implements it, and then each call stands alone; a
/// [`Transaction`] implements it too, and then the calls share one commit.
pub trait Repository: Send + Sync + 'static {
    /// Finds an organization.
    fn find_organization(
        &self,
        id: OrganizationId,
    ) -> impl Future<Output = Result<Option<Organization>>> + Send;

    /// The organizations a user belongs to.
    fn list_memberships(
        &self,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> impl Future<Output = Result<Page<Membership>>> + Send;

    /// Finds the personal organization of a user.
    fn find_personal(
        &self,
        user: UserId,
    ) -> impl Future<Output = Result<Option<Organization>>> + Send;

    /// Adds an organization.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is one with the id, or else
    /// [`AlreadyHasPersonal`](crate::Error::AlreadyHasPersonal) if it is personal and its user has one.
    fn insert_organization(
        &self,
        organization: &Organization,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Writes an organization's name and times, if the stored version is `organization.version - 1`.
    ///
    /// # Errors
    ///
    /// [`VersionConflict`](crate::Error::VersionConflict) if it is not, or there is no such organization.
    fn update_organization(
        &self,
        organization: &Organization,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes an organization with all that belongs to it. Answers whether it was there.
    fn delete_organization(&self, id: OrganizationId) -> impl Future<Output = Result<bool>> + Send;

    /// Holds off other transactions that lock the same organization until this
    /// one ends. Alone, outside a transaction, it does nothing.
    fn lock_organization(&self, id: OrganizationId) -> impl Future<Output = Result<()>> + Send;

    /// Finds the membership of a user.
    fn find_member_of(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> impl Future<Output = Result<Option<Member>>> + Send;

    /// Finds a member by id.
    fn find_member(
        &self,
        organization: OrganizationId,
        id: MemberId,
    ) -> impl Future<Output = Result<Option<Member>>> + Send;

    /// The members of an organization.
    fn list_members(
        &self,
        organization: OrganizationId,
        slice: &Slice<Sort>,
    ) -> impl Future<Output = Result<Page<Member>>> + Send;

    /// How many owners an organization has.
    fn count_owners(
        &self,
        organization: OrganizationId,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Adds a member.
    ///
    /// # Errors
    ///
    /// [`AlreadyAMember`](crate::Error::AlreadyAMember) if the user is one.
    fn insert_member(&self, member: &Member) -> impl Future<Output = Result<()>> + Send;

    /// Writes a member's role. Answers whether they exist.
    fn update_member_role(
        &self,
        organization: OrganizationId,
        id: MemberId,
        role: Role,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Deletes a member. Answers whether they existed.
    fn delete_member(
        &self,
        organization: OrganizationId,
        id: MemberId,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Adds an invitation together with the digest of its token.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is one with the id, whoever's.
    fn insert_invitation(
        &self,
        invitation: &Invitation,
        token: &TokenDigest,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Finds an invitation of whichever organization by its token.
    fn find_invitation_by_token(
        &self,
        token: &TokenDigest,
    ) -> impl Future<Output = Result<Option<Invitation>>> + Send;

    /// The pending invitations of an organization.
    fn list_invitations(
        &self,
        organization: OrganizationId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> impl Future<Output = Result<Page<Invitation>>> + Send;

    /// The pending invitations of an organization to an address, whether or not their time is over.
    fn pending_invitations_to(
        &self,
        organization: OrganizationId,
        email: &str,
    ) -> impl Future<Output = Result<Vec<InvitationId>>> + Send;

    /// Writes what became of a pending invitation. Answers whether it was
    /// pending: of two calls for the same invitation, one does it.
    fn settle_invitation(
        &self,
        organization: OrganizationId,
        id: InvitationId,
        status: InvitationStatus,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// What an organization did from one day to another, both included, by the tally that is read:
    /// the days on which it did something, in order.
    fn list_usage(
        &self,
        organization: OrganizationId,
        from: Day,
        to: Day,
    ) -> impl Future<Output = Result<Vec<DailyUsage>>> + Send;

    /// The tally that is read. There always is one; before anything was counted it is empty.
    fn current_tally(&self) -> impl Future<Output = Result<Tally>> + Send;

    /// Begins an empty tally beside the one that is read, in place of any other that was begun.
    fn begin_tally(&self) -> impl Future<Output = Result<Tally>> + Send;

    /// Adds to a tally and moves its mark, both at once, if it is there and its mark is still
    /// `tally.mark`: otherwise nothing happens. What was done by organizations that do not exist is
    /// left out. Answers whether it happened: of several who count the same, one does.
    fn add_usage(
        &self,
        tally: &Tally,
        mark: &str,
        counts: &Counts,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Has a tally read in place of the one before, which is dropped. What that says of an
    /// organization named in `kept` stays for the days before the one named there, in place of what
    /// the new one says of them. Answers whether the tally was begun and is read now; otherwise
    /// nothing happens.
    fn switch_tally(
        &self,
        id: i64,
        kept: &BTreeMap<OrganizationId, Day>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Appends an event to the log, to be published after the commit.
    fn record(&self, event: &Recorded) -> impl Future<Output = Result<()>> + Send;
}

/// A [`Repository`] that can group its writes.
pub trait Store: Repository {
    /// An open transaction of this store.
    type Transaction: Transaction;

    /// Opens a transaction.
    fn begin(&self, scope: Scope) -> impl Future<Output = Result<Self::Transaction>> + Send;
}

/// A [`Repository`] whose writes take effect together, or, if it is dropped
/// before [`commit`](Self::commit), not at all.
pub trait Transaction: Repository {
    /// Makes the writes durable and visible to others.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;
}

/// Makes and digests the tokens of invitations.
pub trait OpaqueTokens: Send + Sync + 'static {
    /// A token with 256 bits of randomness, after the prefix, in URL-safe characters.
    fn generate(&self, prefix: &str) -> String;

    /// The SHA-256 of a token.
    fn digest(&self, token: &str) -> TokenDigest;
}

/// Where a slice sorted by time goes on after an item.
pub fn cursor(created_at: SystemTime, id: u128) -> Cursor {
    Cursor {
        key: crate::CursorKey::Time(created_at),
        id,
    }
}
