//! The tables of organizations.

use std::{collections::BTreeMap, time::SystemTime};

use archesai_organizations::{
    Counts, Cursor, CursorKey, DailyUsage, Day, Error, Invitation, InvitationId, InvitationStatus,
    Member, MemberId, Membership, Organization, OrganizationId, Page, Plan, Recorded, Result, Role,
    Slice, Tally, UserId,
    ports::{Repository, Scope, Sort, Store, TokenDigest, Transaction, cursor},
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::{
    errand::{Link, read, together, write},
    events::new_event,
    lend::{Lend, Open, Pooled, Postgres},
    lists::sliced,
    schema::{invitations, members, organizations},
    session::Scope as For,
    sql::Prepared,
    types::{Count, Digest, Id, Time, Word},
    usage,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = organizations)]
struct OrganizationRow {
    id: Id,
    name: String,
    credits: i64,
    personal_of: Option<Id>,
    version: Count<u64>,
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
            version: row.version.0,
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
    role: Word<Role>,
    created_at: Time,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            id: MemberId(row.id.0),
            user_id: UserId(row.user_id.0),
            organization_id: OrganizationId(row.organization_id.0),
            role: row.role.0,
            created_at: row.created_at.0,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = invitations)]
struct InvitationRow {
    id: Id,
    organization_id: Id,
    email: String,
    role: Word<Role>,
    status: Word<InvitationStatus>,
    invited_by: Id,
    created_at: Time,
    expires_at: Time,
}

impl From<InvitationRow> for Invitation {
    fn from(row: InvitationRow) -> Self {
        Self {
            id: InvitationId(row.id.0),
            organization_id: OrganizationId(row.organization_id.0),
            email: row.email,
            role: row.role.0,
            status: row.status.0,
            invited_by: UserId(row.invited_by.0),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
        }
    }
}

/// What belongs to an organization.
const fn of(organization: OrganizationId) -> For {
    For::Tenant(organization.0)
}

impl<L: Lend> Repository for Postgres<L> {
    async fn find_organization(&self, id: OrganizationId) -> Result<Option<Organization>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<OrganizationRow> = organizations::table
                .find(Id(id.0))
                .select(OrganizationRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Organization::from))
        };
        self.0.run(read(of(id)), find).await
    }

    async fn list_memberships(
        &self,
        user: UserId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Membership>> {
        let list = async |mut link: Link<'_>| {
            let query = organizations::table
                .inner_join(members::table)
                .filter(members::user_id.eq(Id(user.0)))
                .select((OrganizationRow::as_select(), members::role))
                .into_boxed();
            let query = sliced!(
                query,
                slice,
                organizations::created_at,
                organizations::id,
                Time
            );
            let rows: Vec<(OrganizationRow, Word<Role>)> = query.load(&mut link).await?;
            Ok(rows)
        };
        let rows = self.0.run(read(For::System), list).await?;
        let membership = |(organization, role): (OrganizationRow, Word<Role>)| Membership {
            organization: organization.into(),
            role: role.0,
        };
        let rows = rows.into_iter().map(membership).collect();
        Ok(Page::from_rows(rows, slice.limit, |row: &Membership| {
            cursor(row.organization.created_at, row.organization.id.0)
        }))
    }

    async fn find_personal(&self, user: UserId) -> Result<Option<Organization>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<OrganizationRow> = organizations::table
                .filter(organizations::personal_of.eq(Id(user.0)))
                .select(OrganizationRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Organization::from))
        };
        self.0.run(read(For::System), find).await
    }

    async fn insert_organization(&self, organization: &Organization) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            let inserted = diesel::insert_into(organizations::table)
                .values((
                    organizations::id.eq(Id(organization.id.0)),
                    organizations::name.eq(&organization.name),
                    organizations::plan.eq(organization.plan.as_str()),
                    organizations::credits.eq(organization.credits),
                    organizations::personal_of.eq(organization.personal_of.map(|id| Id(id.0))),
                    organizations::version.eq(Count(organization.version)),
                    organizations::created_at.eq(Time(organization.created_at)),
                    organizations::updated_at.eq(Time(organization.updated_at)),
                ))
                .on_conflict_do_nothing()
                .execute(&mut link)
                .await?;
            if inserted == 1 {
                return Ok(());
            }
            let same: Option<Id> = organizations::table
                .find(Id(organization.id.0))
                .select(organizations::id)
                .get_result(&mut link)
                .await
                .optional()?;
            let error = same.map_or(Error::AlreadyHasPersonal, |_| Error::AlreadyExists);
            Err(error.into())
        };
        self.0.run(together(of(organization.id)), insert).await
    }

    async fn update_organization(&self, organization: &Organization) -> Result<()> {
        let update = async |mut link: Link<'_>| {
            let before = organizations::table
                .find(Id(organization.id.0))
                .filter(organizations::version.eq(Count(organization.version - 1)));
            let update = diesel::update(before).set((
                organizations::name.eq(&organization.name),
                organizations::personal_of.eq(organization.personal_of.map(|id| Id(id.0))),
                organizations::version.eq(Count(organization.version)),
                organizations::updated_at.eq(Time(organization.updated_at)),
            ));
            match Prepared(update).execute(&mut link).await? {
                0 => Err(Error::VersionConflict.into()),
                _ => Ok(()),
            }
        };
        self.0.run(write(of(organization.id)), update).await
    }

    async fn delete_organization(&self, id: OrganizationId) -> Result<bool> {
        let delete = async |mut link: Link<'_>| {
            let organization = organizations::table.find(Id(id.0));
            Ok(diesel::delete(organization).execute(&mut link).await? == 1)
        };
        self.0.run(write(of(id)).at_length(), delete).await
    }

    async fn lock_organization(&self, id: OrganizationId) -> Result<()> {
        let lock = async |mut link: Link<'_>| {
            organizations::table
                .find(Id(id.0))
                .select(organizations::id)
                .for_no_key_update()
                .execute(&mut link)
                .await?;
            Ok(())
        };
        self.0.run(write(of(id)), lock).await
    }

    async fn find_member_of(
        &self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<Member>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<MemberRow> = members::table
                .filter(members::organization_id.eq(Id(organization.0)))
                .filter(members::user_id.eq(Id(user.0)))
                .select(MemberRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Member::from))
        };
        self.0.run(read(of(organization)), find).await
    }

    async fn find_member(
        &self,
        organization: OrganizationId,
        id: MemberId,
    ) -> Result<Option<Member>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<MemberRow> = members::table
                .find(Id(id.0))
                .filter(members::organization_id.eq(Id(organization.0)))
                .select(MemberRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Member::from))
        };
        self.0.run(read(of(organization)), find).await
    }

    async fn list_members(
        &self,
        organization: OrganizationId,
        slice: &Slice<Sort>,
    ) -> Result<Page<Member>> {
        let list = async |mut link: Link<'_>| {
            let query = members::table
                .filter(members::organization_id.eq(Id(organization.0)))
                .select(MemberRow::as_select())
                .into_boxed();
            let query = sliced!(query, slice, members::created_at, members::id, Time);
            let rows: Vec<MemberRow> = query.load(&mut link).await?;
            Ok(rows)
        };
        let rows = self.0.run(read(of(organization)), list).await?;
        let rows = rows.into_iter().map(Member::from).collect();
        Ok(Page::from_rows(rows, slice.limit, |row: &Member| {
            cursor(row.created_at, row.id.0)
        }))
    }

    async fn count_owners(&self, organization: OrganizationId) -> Result<u64> {
        let count = async |mut link: Link<'_>| {
            let owners: Count<u64> = members::table
                .filter(members::organization_id.eq(Id(organization.0)))
                .filter(members::role.eq(Word(Role::Owner)))
                .count()
                .get_result(&mut link)
                .await?;
            Ok(owners.0)
        };
        self.0.run(read(of(organization)), count).await
    }

    async fn insert_member(&self, member: &Member) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            let inserted = diesel::insert_into(members::table)
                .values((
                    members::id.eq(Id(member.id.0)),
                    members::user_id.eq(Id(member.user_id.0)),
                    members::organization_id.eq(Id(member.organization_id.0)),
                    members::role.eq(Word(member.role)),
                    members::created_at.eq(Time(member.created_at)),
                ))
                .on_conflict((members::user_id, members::organization_id))
                .do_nothing()
                .execute(&mut link)
                .await?;
            match inserted {
                0 => Err(Error::AlreadyAMember.into()),
                _ => Ok(()),
            }
        };
        self.0.run(write(of(member.organization_id)), insert).await
    }

    async fn update_member_role(
        &self,
        organization: OrganizationId,
        id: MemberId,
        role: Role,
    ) -> Result<bool> {
        let update = async |mut link: Link<'_>| {
            let member = members::table
                .find(Id(id.0))
                .filter(members::organization_id.eq(Id(organization.0)));
            let update = diesel::update(member).set(members::role.eq(Word(role)));
            Ok(Prepared(update).execute(&mut link).await? == 1)
        };
        self.0.run(write(of(organization)), update).await
    }

    async fn delete_member(&self, organization: OrganizationId, id: MemberId) -> Result<bool> {
        let delete = async |mut link: Link<'_>| {
            let member = members::table
                .find(Id(id.0))
                .filter(members::organization_id.eq(Id(organization.0)));
            Ok(diesel::delete(member).execute(&mut link).await? == 1)
        };
        self.0.run(write(of(organization)), delete).await
    }

    async fn insert_invitation(&self, invitation: &Invitation, token: &TokenDigest) -> Result<()> {
        let insert = async |mut link: Link<'_>| {
            let inserted = diesel::insert_into(invitations::table)
                .values((
                    invitations::id.eq(Id(invitation.id.0)),
                    invitations::organization_id.eq(Id(invitation.organization_id.0)),
                    invitations::token.eq(Digest(*token)),
                    invitations::email.eq(&invitation.email),
                    invitations::role.eq(Word(invitation.role)),
                    invitations::status.eq(Word(invitation.status)),
                    invitations::invited_by.eq(Id(invitation.invited_by.0)),
                    invitations::created_at.eq(Time(invitation.created_at)),
                    invitations::expires_at.eq(Time(invitation.expires_at)),
                ))
                .on_conflict(invitations::id)
                .do_nothing()
                .execute(&mut link)
                .await?;
            match inserted {
                0 => Err(Error::AlreadyExists.into()),
                _ => Ok(()),
            }
        };
        let scope = of(invitation.organization_id);
        self.0.run(write(scope), insert).await
    }

    async fn find_invitation_by_token(&self, token: &TokenDigest) -> Result<Option<Invitation>> {
        let find = async |mut link: Link<'_>| {
            let row: Option<InvitationRow> = invitations::table
                .filter(invitations::token.eq(Digest(*token)))
                .select(InvitationRow::as_select())
                .get_result(&mut link)
                .await
                .optional()?;
            Ok(row.map(Invitation::from))
        };
        self.0.run(read(For::System), find).await
    }

    async fn list_invitations(
        &self,
        organization: OrganizationId,
        now: SystemTime,
        slice: &Slice<Sort>,
    ) -> Result<Page<Invitation>> {
        let list = async |mut link: Link<'_>| {
            let query = invitations::table
                .filter(invitations::organization_id.eq(Id(organization.0)))
                .filter(invitations::status.eq(Word(InvitationStatus::Pending)))
                .filter(invitations::expires_at.gt(Time(now)))
                .select(InvitationRow::as_select())
                .into_boxed();
            let query = sliced!(query, slice, invitations::created_at, invitations::id, Time);
            let rows: Vec<InvitationRow> = query.load(&mut link).await?;
            Ok(rows)
        };
        let rows = self.0.run(read(of(organization)), list).await?;
        let rows = rows.into_iter().map(Invitation::from).collect();
        Ok(Page::from_rows(rows, slice.limit, |row: &Invitation| {
            cursor(row.created_at, row.id.0)
        }))
    }

    async fn pending_invitations_to(
        &self,
        organization: OrganizationId,
        email: &str,
    ) -> Result<Vec<InvitationId>> {
        let find = async |mut link: Link<'_>| {
            let ids: Vec<Id> = invitations::table
                .filter(invitations::organization_id.eq(Id(organization.0)))
                .filter(invitations::email.eq(email))
                .filter(invitations::status.eq(Word(InvitationStatus::Pending)))
                .select(invitations::id)
                .load(&mut link)
                .await?;
            Ok(ids.into_iter().map(|id| InvitationId(id.0)).collect())
        };
        self.0.run(read(of(organization)), find).await
    }

    async fn settle_invitation(
        &self,
        organization: OrganizationId,
        id: InvitationId,
        status: InvitationStatus,
    ) -> Result<bool> {
        let settle = async |mut link: Link<'_>| {
            let pending = invitations::table
                .find(Id(id.0))
                .filter(invitations::organization_id.eq(Id(organization.0)))
                .filter(invitations::status.eq(Word(InvitationStatus::Pending)));
            let settle = diesel::update(pending).set(invitations::status.eq(Word(status)));
            Ok(Prepared(settle).execute(&mut link).await? == 1)
        };
        self.0.run(write(of(organization)), settle).await
    }

    async fn list_usage(
        &self,
        organization: OrganizationId,
        from: Day,
        to: Day,
    ) -> Result<Vec<DailyUsage>> {
        let list = async |link: Link<'_>| usage::list(link, organization, from, to).await;
        self.0.run(read(of(organization)), list).await
    }

    async fn current_tally(&self) -> Result<Tally> {
        let find = async |link: Link<'_>| usage::current(link).await;
        self.0.run(read(For::Nobody), find).await
    }

    async fn begin_tally(&self) -> Result<Tally> {
        let begin = async |link: Link<'_>| usage::begin(link).await;
        self.0.run(together(For::System).at_length(), begin).await
    }

    async fn add_usage(&self, tally: &Tally, mark: &str, counts: &Counts) -> Result<bool> {
        let add = async |link: Link<'_>| usage::add(link, tally, mark, counts).await;
        self.0.run(together(For::System), add).await
    }

    async fn switch_tally(&self, id: i64, kept: &BTreeMap<OrganizationId, Day>) -> Result<bool> {
        let switch = async |link: Link<'_>| usage::switch(link, id, kept).await;
        self.0.run(together(For::System).at_length(), switch).await
    }

    async fn record(&self, event: &Recorded) -> Result<()> {
        self.append([new_event!(event)]).await
    }
}

impl Store for Postgres<Pooled> {
    type Transaction = Postgres<Open>;

    async fn begin(&self, scope: Scope) -> Result<Postgres<Open>> {
        let scope = match scope {
            Scope::Organization(organization) => of(organization),
            Scope::System => For::System,
        };
        self.begin_for(scope).await
    }
}

impl Transaction for Postgres<Open> {
    async fn commit(self) -> Result<()> {
        self.commit_now().await
    }
}
