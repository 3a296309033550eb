//! The operations tagged `organizations`. Members are shown with their names
//! and addresses, which auth knows: here the two meet.

mod usage;

use std::{collections::HashMap, sync::Arc};

use actix_web::http::StatusCode;
use archesai_auth::Email;
use archesai_organizations::{
    Adapters, Error, Invitation, InvitationId, Member, MemberId, Membership, NewInvitation,
    Organization, OrganizationId, Role, Service, UserId, ports::Sort,
};
use uuid::Uuid;

use super::{order, time, token_lost};
use crate::{Caller, Problem, Versioned, generated::organizations as api, page};

/// The operations tagged `organizations`.
pub struct Organizations<O: Adapters, A: archesai_auth::Adapters> {
    /// The use cases of organizations.
    pub organizations: Arc<Service<O>>,
    /// Who the members are.
    pub auth: Arc<archesai_auth::Service<A>>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { field, reason } => Self::fault(format!("/{field}"), reason),
            Error::NotFound => Self::not_found(),
            Error::VersionConflict => Self::with_detail(StatusCode::PRECONDITION_FAILED, error),
            Error::RoleTooSmall(_) | Error::WrongInvitee => Self::forbidden(error),
            Error::LastOwner
            | Error::AlreadyExists
            | Error::AlreadyAMember
            | Error::AlreadyHasPersonal
            | Error::InvitationClosed => Self::conflict(error),
            Error::Unavailable(cause) => Self::unavailable(cause),
            error => Self::unavailable(error),
        }
    }
}

fn role(role: Role) -> api::Role {
    match role {
        Role::Viewer => api::Role::Viewer,
        Role::Member => api::Role::Member,
        Role::Admin => api::Role::Admin,
        Role::Owner => api::Role::Owner,
    }
}

fn domain_role(role: api::Role) -> Role {
    match role {
        api::Role::Viewer => Role::Viewer,
        api::Role::Member => Role::Member,
        api::Role::Admin => Role::Admin,
        api::Role::Owner => Role::Owner,
    }
}

fn organization(found: Organization, as_role: Role) -> api::Organization {
    api::Organization {
        id: Uuid::from_u128(found.id.0),
        name: found.name,
        plan: found.plan.as_str().to_owned(),
        credits: found.credits,
        role: role(as_role),
        created_at: time(found.created_at),
        updated_at: time(found.updated_at),
    }
}

fn membership(found: Membership) -> api::Organization {
    organization(found.organization, found.role)
}

fn versioned(found: Organization, as_role: Role) -> Versioned<api::Organization> {
    Versioned {
        version: tag(found.version, as_role),
        value: organization(found, as_role),
    }
}

/// How many roles there are to see a version of a thing in, or for it to show.
const ROLES: u64 = Role::ALL.len() as u64;

/// The number in the `ETag` of what has a version and shows a role.
fn tag(version: u64, role: Role) -> u64 {
    version * ROLES + role as u64
}

/// The versions in those of the tags that show a role.
fn versions(tags: &[u64], role: Role) -> Vec<u64> {
    let shown = tags.iter().filter(|tag| *tag % ROLES == role as u64);
    shown.map(|tag| tag / ROLES).collect()
}

fn invitation(found: Invitation) -> api::Invitation {
    api::Invitation {
        id: Uuid::from_u128(found.id.0),
        organization_id: Uuid::from_u128(found.organization_id.0),
        email: found.email,
        role: role(found.role),
        status: found.status.as_str().to_owned(),
        created_at: time(found.created_at),
        expires_at: time(found.expires_at),
    }
}

/// Which organization an operation works in; the gate read it from the path.
fn place(caller: &Caller) -> OrganizationId {
    caller.organization_id
}

fn user_id(caller: &Caller) -> UserId {
    UserId(caller.user_id.0)
}

impl<O: Adapters, A: archesai_auth::Adapters> Organizations<O, A> {
    /// Members with their names and addresses. What a member shows is changed by a
    /// version of the user and by the role, so these make the `ETag`.
    async fn members(&self, members: Vec<Member>) -> Result<Vec<Versioned<api::Member>>, Problem> {
        let ids: Vec<_> = members
            .iter()
            .map(|member| archesai_auth::UserId(member.user_id.0))
            .collect();
        let users = self.auth.users_by_id(&ids).await?;
        let users: HashMap<u128, _> = users.into_iter().map(|user| (user.id.0, user)).collect();
        let member = |member: Member| {
            let user = users.get(&member.user_id.0);
            let value = api::Member {
                id: Uuid::from_u128(member.id.0),
                user_id: Uuid::from_u128(member.user_id.0),
                organization_id: Uuid::from_u128(member.organization_id.0),
                email: user.map_or_else(String::new, |user| user.email.to_string()),
                name: user.map_or_else(String::new, |user| user.name.clone()),
                role: role(member.role),
                created_at: time(member.created_at),
            };
            let version = user.map_or(0, |user| user.version);
            Versioned {
                version: tag(version, member.role),
                value,
            }
        };
        Ok(members.into_iter().map(member).collect())
    }

    async fn member(&self, member: Member) -> Result<Versioned<api::Member>, Problem> {
        let mut members = self.members(vec![member]).await?;
        members.pop().ok_or_else(Problem::not_found)
    }

    async fn email(&self, caller: &Caller) -> Result<Email, Problem> {
        Ok(self.auth.user(caller.user_id).await?.email)
    }
}

impl<O: Adapters, A: archesai_auth::Adapters> api::OrganizationsApi for Organizations<O, A> {
    async fn list_organizations(
        &self,
        caller: &Caller,
        query: api::ListOrganizationsQuery,
    ) -> Result<api::OrganizationPage, Problem> {
        let (cursor, order) = (query.cursor.as_deref(), order(query.sort));
        let slice = page::slice("organizations", query.limit, cursor, order, Sort::CreatedAt)?;
        let page = self
            .organizations
            .memberships(user_id(caller), &slice)
            .await?;
        Ok(api::OrganizationPage {
            data: page.items.into_iter().map(membership).collect(),
            next_cursor: page::encode("organizations", order, page.next),
        })
    }

    async fn create_organization(
        &self,
        caller: &Caller,
        new_id: Uuid,
        body: api::CreateOrganizationRequest,
    ) -> Result<Versioned<api::Organization>, Problem> {
        let created = self
            .organizations
            .create(
                user_id(caller),
                OrganizationId(new_id.as_u128()),
                &body.name,
            )
            .await?;
        Ok(versioned(created.organization, created.role))
    }

    async fn get_organization(
        &self,
        caller: &Caller,
        _id: Uuid,
    ) -> Result<Versioned<api::Organization>, Problem> {
        let found = self.organizations.organization(place(caller)).await?;
        Ok(versioned(found, caller.actor().role))
    }

    async fn update_organization(
        &self,
        caller: &Caller,
        _id: Uuid,
        if_match: Option<Vec<u64>>,
        body: api::UpdateOrganizationRequest,
    ) -> Result<Versioned<api::Organization>, Problem> {
        let (user, place) = (user_id(caller), place(caller));
        let role = caller.actor().role;
        let expected = if_match.map(|tags| versions(&tags, role));
        let updated = self
            .organizations
            .update(user, place, expected.as_deref(), body.name);
        Ok(versioned(updated.await?, role))
    }

    async fn delete_organization(&self, caller: &Caller, _id: Uuid) -> Result<(), Problem> {
        Ok(self
            .organizations
            .delete(user_id(caller), place(caller))
            .await?)
    }

    async fn get_usage(
        &self,
        caller: &Caller,
        _id: Uuid,
        query: api::GetUsageQuery,
    ) -> Result<api::Usage, Problem> {
        let (from, to) = usage::asked(&query)?;
        let found = self.organizations.usage(place(caller), from, to).await;
        found.map_err(usage::problem).map(usage::shown)
    }

    async fn list_members(
        &self,
        caller: &Caller,
        _id: Uuid,
        query: api::ListMembersQuery,
    ) -> Result<api::MemberPage, Problem> {
        let (cursor, order) = (query.cursor.as_deref(), order(query.sort));
        let slice = page::slice("members", query.limit, cursor, order, Sort::CreatedAt)?;
        let page = self.organizations.members_of(place(caller), &slice).await?;
        let data = self.members(page.items).await?.into_iter();
        Ok(api::MemberPage {
            data: data.map(|member| member.value).collect(),
            next_cursor: page::encode("members", order, page.next),
        })
    }

    async fn get_member(
        &self,
        caller: &Caller,
        _id: Uuid,
        member_id: Uuid,
    ) -> Result<Versioned<api::Member>, Problem> {
        let id = MemberId(member_id.as_u128());
        let found = self.organizations.member(place(caller), id).await?;
        self.member(found).await
    }

    async fn update_member(
        &self,
        caller: &Caller,
        id: Uuid,
        member_id: Uuid,
        if_match: Option<Vec<u64>>,
        body: api::UpdateMemberRequest,
    ) -> Result<Versioned<api::Member>, Problem> {
        let mut expected = None;
        if let Some(tags) = if_match {
            let current = api::OrganizationsApi::get_member(self, caller, id, member_id).await?;
            if !tags.contains(&current.version) {
                return Err(Error::VersionConflict.into());
            }
            expected = Some(domain_role(current.value.role));
        }
        let changed = self.organizations.change_role(
            caller.actor(),
            place(caller),
            MemberId(member_id.as_u128()),
            expected,
            domain_role(body.role),
        );
        self.member(changed.await?).await
    }

    async fn remove_member(
        &self,
        caller: &Caller,
        _id: Uuid,
        member_id: Uuid,
    ) -> Result<(), Problem> {
        let member = MemberId(member_id.as_u128());
        let removed = self
            .organizations
            .remove_member(caller.actor(), place(caller), member);
        Ok(removed.await?)
    }

    async fn list_invitations(
        &self,
        caller: &Caller,
        _id: Uuid,
        query: api::ListInvitationsQuery,
    ) -> Result<api::InvitationPage, Problem> {
        let (cursor, order) = (query.cursor.as_deref(), order(query.sort));
        let slice = page::slice("invitations", query.limit, cursor, order, Sort::CreatedAt)?;
        let page = self
            .organizations
            .invitations(place(caller), &slice)
            .await?;
        Ok(api::InvitationPage {
            data: page.items.into_iter().map(invitation).collect(),
            next_cursor: page::encode("invitations", order, page.next),
        })
    }

    async fn create_invitation(
        &self,
        caller: &Caller,
        new_id: Uuid,
        _id: Uuid,
        body: api::CreateInvitationRequest,
    ) -> Result<api::CreatedInvitation, Problem> {
        let new = NewInvitation {
            id: InvitationId(new_id.as_u128()),
            email: Email::parse(&body.email)?.to_string(),
            role: domain_role(body.role),
        };
        let invited = self
            .organizations
            .invite(caller.actor(), place(caller), new);
        let (made, token) = invited.await.map_err(|error| match error {
            Error::AlreadyExists => token_lost(format_args!("take the invitation {new_id} back")),
            error => error.into(),
        })?;
        let made = invitation(made);
        Ok(api::CreatedInvitation {
            id: made.id,
            organization_id: made.organization_id,
            email: made.email,
            role: made.role,
            status: made.status,
            created_at: made.created_at,
            expires_at: made.expires_at,
            token,
        })
    }

    async fn revoke_invitation(
        &self,
        caller: &Caller,
        _id: Uuid,
        invitation_id: Uuid,
    ) -> Result<(), Problem> {
        let id = InvitationId(invitation_id.as_u128());
        let revoked = self
            .organizations
            .revoke_invitation(caller.actor(), place(caller), id);
        Ok(revoked.await?)
    }

    async fn accept_invitation(
        &self,
        caller: &Caller,
        body: api::InvitationTokenRequest,
    ) -> Result<api::Member, Problem> {
        let email = self.email(caller).await?;
        let user = user_id(caller);
        let accepted = self
            .organizations
            .accept_invitation(&body.token, user, email.as_str());
        Ok(self.member(accepted.await?).await?.value)
    }

    async fn decline_invitation(
        &self,
        caller: &Caller,
        body: api::InvitationTokenRequest,
    ) -> Result<(), Problem> {
        let email = self.email(caller).await?;
        let user = user_id(caller);
        let declined = self
            .organizations
            .decline_invitation(&body.token, user, email.as_str());
        Ok(declined.await?)
    }
}
