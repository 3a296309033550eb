//! What organizations keeps, in memory.

mod usage;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use archesai_organizations::{
    Counts, Cursor, CursorKey, DailyUsage, Day, Error, Invitation, InvitationId, InvitationStatus,
    Member, MemberId, Membership, Organization, OrganizationId, Page, Recorded, Result, Role,
    Slice, Tally, UserId,
    ports::{Repository, Scope, Sort, Store, TokenDigest, Transaction, cursor},
};
use tokio::sync::OwnedMutexGuard;
use usage::Tallies;

/// Everything that organizations keeps. A transaction is another of these, with a
/// copy of the tables that replaces the original when it commits.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    tables: Arc<Mutex<Tables>>,
    turn: Arc<tokio::sync::Mutex<()>>,
    open: Option<Arc<Open>>,
}

/// What a transaction has besides its copy.
struct Open {
    original: Arc<Mutex<Tables>>,
    /// One transaction at a time.
    _turn: OwnedMutexGuard<()>,
}

#[derive(Clone, Default)]
struct Tables {
    organizations: HashMap<OrganizationId, Organization>,
    members: HashMap<MemberId, Member>,
    invitations: HashMap<InvitationId, (Invitation, TokenDigest)>,
    usage: Tallies,
    events: Vec<Recorded>,
}

impl Memory {
    /// What happened so far, oldest first.
    pub(crate) fn events(&self) -> Vec<Recorded> {
        self.tables().events.clone()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    fn member(&self, wanted: impl Fn(&Member) -> bool) -> Option<Member> {
        let tables = self.tables();
        tables.members.values().find(|found| wanted(found)).cloned()
    }
}

/// The slice of some items that come in any order.
fn page<T>(mut items: Vec<T>, slice: &Slice<Sort>, place: impl Fn(&T) -> Cursor) -> Page<T> {
    let key = |item: &T| match place(item) {
        Cursor {
            key: CursorKey::Time(time),
            id,
        } => (time, id),
        other => panic!("sorted by time, not {other:?}"),
    };
    items.sort_by_key(&key);
    if slice.descending {
        items.reverse();
    }
    if let Some(after) = &slice.after {
        let last = items.iter().position(|item| place(item) == *after);
        items.drain(..=last.unwrap());
    }
    items.truncate(slice.limit as usize + 1);
    Page::from_rows(items, slice.limit, place)
}

impl Repository for Memory {
    async fn find_organization(&self, id: OrganizationId) -> Result<Option<Organization>> {
        Ok(self.tables().organizations.get(&id).cloned())
    }

    async fn list_memberships(
        &self,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Membership>> {
        let tables = self.tables();
        let members = tables
            .members
            .values()
            .filter(|found| found.user_id == user);
        let memberships = members.map(|member| Membership {
            organization: tables.organizations[&member.organization_id].clone(),
            role: member.role,
        });
        Ok(page(memberships.collect(), slice, |found| {
            cursor(found.organization.created_at, found.organization.id.0)
        }))
    }

    async fn find_personal(&self, user: UserId) -> Result<Option<Organization>> {
        let tables = self.tables();
        let mut all = tables.organizations.values();
        Ok(all.find(|found| found.personal_of == Some(user)).cloned())
    }

    async fn insert_organization(&self, organization: &Organization) -> Result<()> {
        if self.find_organization(organization.id).await?.is_some() {
            return Err(Error::AlreadyExists);
        }
        if let Some(user) = organization.personal_of
            && self.find_personal(user).await?.is_some()
        {
            return Err(Error::AlreadyHasPersonal);
        }
        let mut tables = self.tables();
        tables
            .organizations
            .insert(organization.id, organization.clone());
        Ok(())
    }

    async fn update_organization(&self, organization: &Organization) -> Result<()> {
        match self.tables().organizations.get_mut(&organization.id) {
            Some(stored) if stored.version + 1 == organization.version => {
                *stored = organization.clone();
                Ok(())
            }
            _ => Err(Error::VersionConflict),
        }
    }

    async fn delete_organization(&self, id: OrganizationId) -> Result<bool> {
        let mut tables = self.tables();
        tables
            .members
            .retain(|_, member| member.organization_id != id);
        tables
            .invitations
            .retain(|_, (found, _)| found.organization_id != id);
        tables.usage.forget(id);
        Ok(tables.organizations.remove(&id).is_some())
    }

    async fn lock_organization(&self, _id: OrganizationId) -> Result<()> {
        Ok(())
    }

    async fn find_member_of(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Member>> {
        Ok(self.member(|found| found.organization_id == organization && found.user_id == user))
    }

    async fn find_member(
        &self,
        organization: OrganizationId,
        id: MemberId,
    ) -> Result<Option<Member>> {
        Ok(self.member(|found| found.organization_id == organization && found.id == id))
    }

    async fn list_members(
        &self,
        organization: OrganizationId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Member>> {
        let tables = self.tables();
        let members = tables.members.values();
        let members = members.filter(|found| found.organization_id == organization);
        Ok(page(members.cloned().collect(), slice, |found| {
            cursor(found.created_at, found.id.0)
        }))
    }

    async fn count_owners(&self, organization: OrganizationId) -> Result<u64> {
        let tables = self.tables();
        let members = tables.members.values();
        let owners = members
            .filter(|found| found.organization_id == organization && found.role == Role::Owner);
        Ok(owners.count() as u64)
    }

    async fn insert_member(&self, member: &Member) -> Result<()> {
        let known = self.find_member_of(member.organization_id, member.user_id);
        if known.await?.is_some() {
            return Err(Error::AlreadyAMember);
        }
        self.tables().members.insert(member.id, member.clone());
        Ok(())
    }

    async fn update_member_role(
        &self,
        organization: OrganizationId,
        id: MemberId,
        role: Role,
    ) -> Result<bool> {
        let mut tables = self.tables();
        let member = tables.members.get_mut(&id);
        let member = member.filter(|found| found.organization_id == organization);
        Ok(member.map(|member| member.role = role).is_some())
    }

    async fn delete_member(&self, organization: OrganizationId, id: MemberId) -> Result<bool> {
        let found = self.find_member(organization, id).await?.is_some();
        Ok(found && self.tables().members.remove(&id).is_some())
    }

    async fn insert_invitation(&self, invitation: &Invitation, token: &TokenDigest) -> Result<()> {
        let mut tables = self.tables();
        if tables.invitations.contains_key(&invitation.id) {
            return Err(Error::AlreadyExists);
        }
        tables
            .invitations
            .insert(invitation.id, (invitation.clone(), *token));
        Ok(())
    }

    async fn find_invitation_by_token(&self, token: &TokenDigest) -> Result<Option<Invitation>> {
        let tables = self.tables();
        let mut rows = tables.invitations.values();
        let row = rows.find(|(_, known)| known == token);
        Ok(row.map(|(invitation, _)| invitation.clone()))
    }

    async fn list_invitations(
        &self,
        organization: OrganizationId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> Result<Page<Invitation>> {
        let tables = self.tables();
        let rows = tables
            .invitations
            .values()
            .map(|(invitation, _)| invitation);
        let open = rows.filter(|found| found.organization_id == organization && found.is_open(now));
        Ok(page(open.cloned().collect(), slice, |found| {
            cursor(found.created_at, found.id.0)
        }))
    }

    async fn pending_invitations_to(
        &self,
        organization: OrganizationId,
        email: &str,
    ) -> Result<Vec<InvitationId>> {
        let tables = self.tables();
        let rows = tables
            .invitations
            .values()
            .map(|(invitation, _)| invitation);
        let pending = rows.filter(|found| {
            found.organization_id == organization
                && found.email == email
                && found.status == InvitationStatus::Pending
        });
        Ok(pending.map(|found| found.id).collect())
    }

    async fn settle_invitation(
        &self,
        organization: OrganizationId,
        id: InvitationId,
        status: InvitationStatus,
    ) -> Result<bool> {
        let mut tables = self.tables();
        let row = tables
            .invitations
            .get_mut(&id)
            .map(|(invitation, _)| invitation);
        let pending = row.filter(|found| {
            found.organization_id == organization && found.status == InvitationStatus::Pending
        });
        Ok(pending
            .map(|invitation| invitation.status = status)
            .is_some())
    }

    async fn list_usage(
        &self,
        organization: OrganizationId,
        from: Day,
        to: Day,
    ) -> Result<Vec<DailyUsage>> {
        Ok(self.tables().usage.list(organization, from, to))
    }

    async fn current_tally(&self) -> Result<Tally> {
        Ok(self.tables().usage.current())
    }

    async fn begin_tally(&self) -> Result<Tally> {
        Ok(self.tables().usage.begin())
    }

    async fn add_usage(&self, tally: &Tally, mark: &str, counts: &Counts) -> Result<bool> {
        let tables = &mut *self.tables();
        let is_there = |place| tables.organizations.contains_key(&place);
        Ok(tables.usage.add(tally, mark, counts, is_there))
    }

    async fn switch_tally(&self, id: i64, kept: &BTreeMap<OrganizationId, Day>) -> Result<bool> {
        Ok(self.tables().usage.switch(id, kept))
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.tables().events.push(event.clone());
        Ok(())
    }
}

impl Store for Memory {
    type Transaction = Self;

    async fn begin(&self, _scope: Scope) -> Result<Self> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let copy = self.tables().clone();
        Ok(Self {
            tables: Arc::new(Mutex::new(copy)),
            turn: Arc::clone(&self.turn),
            open: Some(Arc::new(Open {
                original: Arc::clone(&self.tables),
                _turn: turn,
            })),
        })
    }
}

impl Transaction for Memory {
    async fn commit(self) -> Result<()> {
        if let Some(open) = &self.open {
            let changed = self.tables().clone();
            *open.original.lock().unwrap() = changed;
        }
        Ok(())
    }
}
