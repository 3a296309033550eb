//! Invitations.

use std::time::Duration;

use archesai_conformance::organizations::program::{actor, email};
use archesai_organizations::{
    Error, InvitationId, Member, NewInvitation, OrganizationId, Role, Slice, UserId, ports::Sort,
};

use super::{Program, kinds, program};

const ADA: UserId = UserId(1);

const ALL: Slice<Sort> = Slice {
    limit: 100,
    after: None,
    sort: Sort::CreatedAt,
    descending: false,
};

async fn accept(program: &Program, token: &str, user: UserId) -> Result<Member, Error> {
    let address = email(user);
    let organizations = &program.organizations;
    organizations.accept_invitation(token, user, &address).await
}

async fn open(program: &Program, place: OrganizationId) -> Vec<InvitationId> {
    let page = program.organizations.invitations(place, &ALL).await;
    page.unwrap()
        .items
        .into_iter()
        .map(|found| found.id)
        .collect()
}

#[tokio::test]
async fn whoever_is_invited_joins_once() {
    let program = program();
    let (place, owner) = program.found().await;
    let (invitation, token) = program.invite(&owner, ADA, Role::Admin).await;
    assert_eq!(open(&program, place).await, [invitation.id]);
    let before = program.organizations.membership(place, ADA).await;
    assert_eq!(before.unwrap(), None);

    let member = accept(&program, &token, ADA).await.unwrap();
    assert_eq!((member.user_id, member.role), (ADA, Role::Admin));
    assert_eq!(program.member(place, ADA).await, member);
    assert_eq!(open(&program, place).await, []);
    let kinds = kinds(&program);
    assert_eq!(
        kinds[2..],
        ["invitation.created", "invitation.accepted", "member.added"]
    );
    let again = accept(&program, &token, ADA).await;
    assert!(matches!(again, Err(Error::InvitationClosed)));
}

#[tokio::test]
async fn an_invitation_is_for_one_address() {
    let program = program();
    let (_, owner) = program.found().await;
    let (_, token) = program.invite(&owner, ADA, Role::Member).await;
    let thief = accept(&program, &token, UserId(2)).await;
    assert!(matches!(thief, Err(Error::WrongInvitee)));
    let thief = program
        .organizations
        .decline_invitation(&token, UserId(2), &email(UserId(2)))
        .await;
    assert!(matches!(thief, Err(Error::WrongInvitee)));
    let unknown = accept(&program, "ari_nothing", ADA).await;
    assert!(matches!(unknown, Err(Error::NotFound)));
    let shouted = email(ADA).to_uppercase();
    let joined = program
        .organizations
        .accept_invitation(&token, ADA, &shouted)
        .await;
    joined.unwrap();
}

#[tokio::test]
async fn an_invitation_ends() {
    let program = program();
    let (place, owner) = program.found().await;
    let (_, expired) = program.invite(&owner, ADA, Role::Member).await;
    program.pass(Duration::from_hours(7 * 24));
    assert_eq!(open(&program, place).await, []);

    let (invitation, revoked) = program.invite(&owner, ADA, Role::Member).await;
    let revoke = async |by: &Member| {
        let place = by.organization_id;
        let organizations = &program.organizations;
        organizations
            .revoke_invitation(actor(by), place, invitation.id)
            .await
    };
    let (_, stranger) = program.found().await;
    assert!(matches!(revoke(&stranger).await, Err(Error::NotFound)));
    revoke(&owner).await.unwrap();
    assert!(matches!(revoke(&owner).await, Err(Error::NotFound)));

    let (_, declined) = program.invite(&owner, ADA, Role::Member).await;
    let address = email(ADA);
    let organizations = &program.organizations;
    let decline = organizations.decline_invitation(&declined, ADA, &address);
    decline.await.unwrap();
    assert_eq!(kinds(&program).last(), Some(&"invitation.declined"));

    let before = kinds(&program);
    for token in [expired, revoked, declined] {
        let refused = accept(&program, &token, ADA).await;
        assert!(matches!(refused, Err(Error::InvitationClosed)));
    }
    assert_eq!(kinds(&program), before);
}

#[tokio::test]
async fn a_member_cannot_join_again_and_the_invitation_stays() {
    let program = program();
    let (place, owner) = program.found().await;
    let (invitation, token) = program.invite(&owner, owner.user_id, Role::Viewer).await;
    let refused = accept(&program, &token, owner.user_id).await;
    assert!(matches!(refused, Err(Error::AlreadyAMember)));
    assert_eq!(open(&program, place).await, [invitation.id]);
}

#[tokio::test]
async fn only_owners_invite_owners() {
    let program = program();
    let (place, owner) = program.found().await;
    let admin = program.join(&owner, Role::Admin).await;
    let new = NewInvitation {
        id: InvitationId(5),
        email: email(ADA),
        role: Role::Owner,
    };
    let refused = program
        .organizations
        .invite(actor(&admin), place, new)
        .await;
    assert!(matches!(refused, Err(Error::RoleTooSmall("owner"))));
    program.invite(&owner, ADA, Role::Owner).await;
}

#[tokio::test]
async fn the_newest_invitation_counts() {
    let program = program();
    let (place, owner) = program.found().await;
    let (first, old) = program.invite(&owner, ADA, Role::Admin).await;
    let (second, new) = program.invite(&owner, ADA, Role::Viewer).await;
    assert_eq!(open(&program, place).await, [second.id]);
    let refused = accept(&program, &old, ADA).await;
    assert!(matches!(refused, Err(Error::InvitationClosed)), "{first:?}");
    let member = accept(&program, &new, ADA).await.unwrap();
    assert_eq!(member.role, Role::Viewer);
}
