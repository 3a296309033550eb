//! The tables of organizations.

use std::{collections::BTreeMap, time::SystemTime};

use archesai_organizations::{
    Counts, Cursor, CursorKey, DailyUsage, Day, Error, Invitation, InvitationId, InvitationStatus,
    Member, MemberId, Membership, Organization, OrganizationId, Page, Plan, Recorded, Result, Role,
    Slice, Tally, UserId,
    ports::{Repository, Scope, Sort, Store, TokenDigest, Transaction, cursor},
};
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind::UniqueViolation, Error as DieselError},
};
use diesel_async::RunQueryDsl;

use crate::{
    events::new_event,
    lend::{Lend, Open, Pooled, Sqlite},
    lists::sliced,
    schema::{invitations, members, organizations},
    task::{reading, writing},
    types::{Digest, Id, Time, signed, unsigned},
    usage,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = organizations)]
struct OrganizationRow {
    id: Id,
    name: String,
    credits: i64,
    personal_of: Option<Id>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self {
            id: OrganizationId(row.id.0),
            name: row.name,
            plan: Plan::Free,
            credits: row.credits,
            personal_of: row.personal_of.map(|id| UserId(id.0)),
            version: unsigned(row.version),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = members)]
struct MemberRow {
    id: Id,
    user_id: Id,
    organization_id: Id,
    role: String,
    created_at: Time,
}

impl TryFrom<MemberRow> for Member {
    type Error = Error;

    fn try_from(row: MemberRow) -> Result<Self> {
        Ok(Self {
            id: MemberId(row.id.0),
            user_id: UserId(row.user_id.0),
            organization_id: OrganizationId(row.organization_id.0),
            role: row.role.parse().map_err(Error::unavailable)?,
            created_at: row.created_at.0,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = invitations)]
struct InvitationRow {
    id: Id,
    organization_id: Id,
    email: String,
    role: String,
    status: String,
    invited_by: Id,
    created_at: Time,
    expires_at: Time,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = Error;

    fn try_from(row: InvitationRow) -> Result<Self> {
        Ok(Self {
            id: InvitationId(row.id.0),
            organization_id: OrganizationId(row.organization_id.0),
            email: row.email,
            role: row.role.parse().map_err(Error::unavailable)?,
            status: row.status.parse().map_err(Error::unavailable)?,
            invited_by: UserId(row.invited_by.0),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        })
    }
}

impl<L: Lend> Repository for Sqlite<L> {
    async fn find_organization(&self, id: OrganizationId) -> Result<Option<Organization>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let row: Option<OrganizationRow> = organizations::table
            .find(Id(id.0))
            .select(OrganizationRow::as_select())
            .get_result(&mut *connection)
            .await
            .optional()
            .map_err(Error::unavailable)?;
        Ok(row.map(Into::into))
    }

    async fn list_memberships(
        &self,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Membership>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let query = organizations::table
            .inner_join(members::table)
            .filter(members::user_id.eq(Id(user.0)))
            .select((OrganizationRow::as_select(), members::role))
            .into_boxed();
        let rows: Vec<(OrganizationRow, String)> = sliced!(
            query,
            slice,
            organizations::created_at,
            organizations::id,
            Time
        )
        .load(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        let membership = |(organization, role): (OrganizationRow, String)| {
            Ok(Membership {
                organization: organization.into(),
                role: role.parse().map_err(Error::unavailable)?,
            })
        };
        let rows = rows.into_iter().map(membership).collect::<Result<_>>()?;
        Ok(Page::from_rows(rows, slice.limit, |row: &Membership| {
            cursor(row.organization.created_at, row.organization.id.0)
        }))
    }

    async fn find_personal(&self, user: UserId) -> Result<Option<Organization>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let row: Option<OrganizationRow> = organizations::table
            .filter(organizations::personal_of.eq(Id(user.0)))
            .select(OrganizationRow::as_select())
            .get_result(&mut *connection)
            .await
            .optional()
            .map_err(Error::unavailable)?;
        Ok(row.map(Into::into))
    }

    async fn insert_organization(&self, organization: &Organization) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let inserted = diesel::insert_into(organizations::table)
            .values((
                organizations::id.eq(Id(organization.id.0)),
                organizations::name.eq(&organization.name),
                organizations::plan.eq(organization.plan.as_str()),
                organizations::credits.eq(organization.credits),
                organizations::personal_of.eq(organization.personal_of.map(|id| Id(id.0))),
                organizations::version.eq(signed(organization.version)),
                organizations::created_at.eq(Time(organization.created_at)),
                organizations::updated_at.eq(Time(organization.updated_at)),
            ))
            .on_conflict(organizations::id)
            .do_nothing()
            .execute(&mut *connection)
            .await
            .map_err(|error| match error {
                DieselError::DatabaseError(UniqueViolation, _) => Error::AlreadyHasPersonal,
                error => Error::unavailable(error),
            })?;
        (inserted == 1).then_some(()).ok_or(Error::AlreadyExists)
    }

    async fn update_organization(&self, organization: &Organization) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let updated = diesel::update(
            organizations::table
                .find(Id(organization.id.0))
                .filter(organizations::version.eq(signed(organization.version) - 1)),
        )
        .set((
            organizations::name.eq(&organization.name),
            organizations::personal_of.eq(organization.personal_of.map(|id| Id(id.0))),
            organizations::version.eq(signed(organization.version)),
            organizations::updated_at.eq(Time(organization.updated_at)),
        ))
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        if updated == 1 {
            Ok(())
        } else {
            Err(Error::VersionConflict)
        }
    }

    async fn delete_organization(&self, id: OrganizationId) -> Result<bool> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let deleted = diesel::delete(organizations::table.find(Id(id.0)))
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(deleted == 1)
    }

    /// A transaction is the only writer from its beginning.
    async fn lock_organization(&self, _id: OrganizationId) -> Result<()> {
        Ok(())
    }

    async fn find_member_of(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Member>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let row: Option<MemberRow> = members::table
            .filter(members::organization_id.eq(Id(organization.0)))
            .filter(members::user_id.eq(Id(user.0)))
            .select(MemberRow::as_select())
            .get_result(&mut *connection)
            .await
            .optional()
            .map_err(Error::unavailable)?;
        row.map(Member::try_from).transpose()
    }

    async fn find_member(
        &self,
        organization: OrganizationId,
        id: MemberId,
    ) -> Result<Option<Member>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let row: Option<MemberRow> = members::table
            .find(Id(id.0))
            .filter(members::organization_id.eq(Id(organization.0)))
            .select(MemberRow::as_select())
            .get_result(&mut *connection)
            .await
            .optional()
            .map_err(Error::unavailable)?;
        row.map(Member::try_from).transpose()
    }

    async fn list_members(
        &self,
        organization: OrganizationId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Member>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let query = members::table
            .filter(members::organization_id.eq(Id(organization.0)))
            .select(MemberRow::as_select())
            .into_boxed();
        let rows: Vec<MemberRow> = sliced!(query, slice, members::created_at, members::id, Time)
            .load(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        let rows = rows
            .into_iter()
            .map(Member::try_from)
            .collect::<Result<_>>()?;
        Ok(Page::from_rows(rows, slice.limit, |row: &Member| {
            cursor(row.created_at, row.id.0)
        }))
    }

    async fn count_owners(&self, organization: OrganizationId) -> Result<u64> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let owners: i64 = members::table
            .filter(members::organization_id.eq(Id(organization.0)))
            .filter(members::role.eq(Role::Owner.as_str()))
            .count()
            .get_result(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(unsigned(owners))
    }

    async fn insert_member(&self, member: &Member) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        diesel::insert_into(members::table)
            .values((
                members::id.eq(Id(member.id.0)),
                members::user_id.eq(Id(member.user_id.0)),
                members::organization_id.eq(Id(member.organization_id.0)),
                members::role.eq(member.role.as_str()),
                members::created_at.eq(Time(member.created_at)),
            ))
            .execute(&mut *connection)
            .await
            .map_err(|error| match error {
                DieselError::DatabaseError(UniqueViolation, _) => Error::AlreadyAMember,
                error => Error::unavailable(error),
            })?;
        Ok(())
    }

    async fn update_member_role(
        &self,
        organization: OrganizationId,
        id: MemberId,
        role: Role,
    ) -> Result<bool> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let updated = diesel::update(
            members::table
                .find(Id(id.0))
                .filter(members::organization_id.eq(Id(organization.0))),
        )
        .set(members::role.eq(role.as_str()))
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        Ok(updated == 1)
    }

    async fn delete_member(&self, organization: OrganizationId, id: MemberId) -> Result<bool> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let deleted = diesel::delete(
            members::table
                .find(Id(id.0))
                .filter(members::organization_id.eq(Id(organization.0))),
        )
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        Ok(deleted == 1)
    }

    async fn insert_invitation(&self, invitation: &Invitation, token: &TokenDigest) -> Result<()> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let inserted = diesel::insert_into(invitations::table)
            .values((
                invitations::id.eq(Id(invitation.id.0)),
                invitations::organization_id.eq(Id(invitation.organization_id.0)),
                invitations::token.eq(Digest(*token)),
                invitations::email.eq(&invitation.email),
                invitations::role.eq(invitation.role.as_str()),
                invitations::status.eq(invitation.status.as_str()),
                invitations::invited_by.eq(Id(invitation.invited_by.0)),
                invitations::created_at.eq(Time(invitation.created_at)),
                invitations::expires_at.eq(Time(invitation.expires_at)),
            ))
            .on_conflict(invitations::id)
            .do_nothing()
            .execute(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        (inserted == 1).then_some(()).ok_or(Error::AlreadyExists)
    }

    async fn find_invitation_by_token(&self, token: &TokenDigest) -> Result<Option<Invitation>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let row: Option<InvitationRow> = invitations::table
            .filter(invitations::token.eq(Digest(*token)))
            .select(InvitationRow::as_select())
            .get_result(&mut *connection)
            .await
            .optional()
            .map_err(Error::unavailable)?;
        row.map(Invitation::try_from).transpose()
    }

    async fn list_invitations(
        &self,
        organization: OrganizationId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> Result<Page<Invitation>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let query = invitations::table
            .filter(invitations::organization_id.eq(Id(organization.0)))
            .filter(invitations::status.eq(InvitationStatus::Pending.as_str()))
            .filter(invitations::expires_at.gt(Time(now)))
            .select(InvitationRow::as_select())
            .into_boxed();
        let rows: Vec<InvitationRow> =
            sliced!(query, slice, invitations::created_at, invitations::id, Time)
                .load(&mut *connection)
                .await
                .map_err(Error::unavailable)?;
        let rows = rows
            .into_iter()
            .map(Invitation::try_from)
            .collect::<Result<_>>()?;
        Ok(Page::from_rows(rows, slice.limit, |row: &Invitation| {
            cursor(row.created_at, row.id.0)
        }))
    }

    async fn pending_invitations_to(
        &self,
        organization: OrganizationId,
        email: &str,
    ) -> Result<Vec<InvitationId>> {
        let mut connection = self.0.read().await.map_err(Error::unavailable)?;
        let ids: Vec<Id> = invitations::table
            .filter(invitations::organization_id.eq(Id(organization.0)))
            .filter(invitations::email.eq(email))
            .filter(invitations::status.eq(InvitationStatus::Pending.as_str()))
            .select(invitations::id)
            .load(&mut *connection)
            .await
            .map_err(Error::unavailable)?;
        Ok(ids.into_iter().map(|id| InvitationId(id.0)).collect())
    }

    async fn settle_invitation(
        &self,
        organization: OrganizationId,
        id: InvitationId,
        status: InvitationStatus,
    ) -> Result<bool> {
        let mut connection = self.0.write().await.map_err(Error::unavailable)?;
        let updated = diesel::update(
            invitations::table
                .find(Id(id.0))
                .filter(invitations::organization_id.eq(Id(organization.0)))
                .filter(invitations::status.eq(InvitationStatus::Pending.as_str())),
        )
        .set(invitations::status.eq(status.as_str()))
        .execute(&mut *connection)
        .await
        .map_err(Error::unavailable)?;
        Ok(updated == 1)
    }

    async fn list_usage(
        &self,
        organization: OrganizationId,
        from: Day,
        to: Day,
    ) -> Result<Vec<DailyUsage>> {
        reading(&self.0, move |c| usage::list(c, organization, from, to)).await
    }

    async fn current_tally(&self) -> Result<Tally> {
        reading(&self.0, usage::current).await
    }

    async fn begin_tally(&self) -> Result<Tally> {
        writing(&self.0, usage::begin).await
    }

    async fn add_usage(&self, tally: &Tally, mark: &str, counts: &Counts) -> Result<bool> {
        let (tally, mark, counts) = (tally.clone(), mark.to_owned(), counts.clone());
        writing(&self.0, move |c| usage::add(c, &tally, &mark, &counts)).await
    }

    async fn switch_tally(&self, id: i64, kept: &BTreeMap<OrganizationId, Day>) -> Result<bool> {
        let kept = kept.clone();
        writing(&self.0, move |c| usage::switch(c, id, &kept)).await
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.append([new_event!(event)])
            .await
            .map_err(Error::unavailable)
    }
}

impl Store for Sqlite<Pooled> {
    type Transaction = Sqlite<Open>;

    /// The scope matters to row-level security, which SQLite has none of: every
    /// query names its organization.
    async fn begin(&self, _scope: Scope) -> Result<Sqlite<Open>> {
        self.0.0.begin().await.map_err(Error::unavailable)
    }
}

impl Transaction for Sqlite<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await.map_err(Error::unavailable)
    }
}
