//! Roles: who may change and remove whom.

use archesai_conformance::organizations::program::actor;
use archesai_organizations::{Error, Member, MemberId, Role};

use super::{Program, kinds, program};

/// An owner, an admin, a member and a viewer of one organization.
async fn team(program: &Program) -> [Member; 4] {
    let (_, owner) = program.found().await;
    let admin = program.join(&owner, Role::Admin).await;
    let member = program.join(&owner, Role::Member).await;
    let viewer = program.join(&owner, Role::Viewer).await;
    [owner, admin, member, viewer]
}

async fn change(program: &Program, by: &Member, whom: &Member, to: Role) -> Result<Role, Error> {
    let changed = program
        .organizations
        .change_role(actor(by), by.organization_id, whom.id, None, to)
        .await;
    changed.map(|member| member.role)
}

async fn remove(program: &Program, by: &Member, whom: &Member) -> Result<(), Error> {
    let place = by.organization_id;
    let organizations = &program.organizations;
    organizations.remove_member(actor(by), place, whom.id).await
}

#[tokio::test]
async fn a_new_role_counts_at_once() {
    let program = program();
    let [_, admin, member, _] = team(&program).await;
    let (place, user) = (member.organization_id, member.user_id);
    // It is remembered, and forgotten with the change.
    assert_eq!(program.member(place, user).await.role, Role::Member);
    let changed = change(&program, &admin, &member, Role::Viewer).await;
    assert_eq!(changed.unwrap(), Role::Viewer);
    assert_eq!(program.member(place, user).await.role, Role::Viewer);
    assert_eq!(kinds(&program).last(), Some(&"member.updated"));

    let place = admin.organization_id;
    let stale = program.organizations.change_role(
        actor(&admin),
        place,
        member.id,
        Some(Role::Member),
        Role::Admin,
    );
    assert!(matches!(stale.await, Err(Error::VersionConflict)));

    let before = kinds(&program);
    let same = change(&program, &admin, &member, Role::Viewer).await;
    assert_eq!(same.unwrap(), Role::Viewer);
    assert_eq!(kinds(&program), before, "nothing has changed");
}

#[tokio::test]
async fn only_owners_make_and_unmake_owners() {
    let program = program();
    let [owner, admin, member, _] = team(&program).await;
    for (whom, to) in [(&member, Role::Owner), (&owner, Role::Admin)] {
        let refused = change(&program, &admin, whom, to).await;
        assert!(matches!(refused, Err(Error::RoleTooSmall("owner"))));
    }
    let made = change(&program, &owner, &member, Role::Owner).await;
    assert_eq!(made.unwrap(), Role::Owner);
    let unmade = change(&program, &owner, &member, Role::Viewer).await;
    assert_eq!(unmade.unwrap(), Role::Viewer);
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    let program = program();
    let [owner, ..] = team(&program).await;
    let refused = change(&program, &owner, &owner, Role::Admin).await;
    assert!(matches!(refused, Err(Error::LastOwner)));
    let refused = remove(&program, &owner, &owner).await;
    assert!(matches!(refused, Err(Error::LastOwner)));

    let second = program.join(&owner, Role::Owner).await;
    remove(&program, &owner, &owner).await.unwrap();
    let refused = remove(&program, &second, &second).await;
    assert!(matches!(refused, Err(Error::LastOwner)));
}

#[tokio::test]
async fn admins_remove_others_and_everybody_may_leave() {
    let program = program();
    let [owner, admin, member, viewer] = team(&program).await;
    let refused = remove(&program, &member, &viewer).await;
    assert!(matches!(refused, Err(Error::RoleTooSmall("admin"))));
    let refused = remove(&program, &admin, &owner).await;
    assert!(matches!(refused, Err(Error::RoleTooSmall("owner"))));

    let (place, user) = (viewer.organization_id, viewer.user_id);
    program.member(place, user).await;
    remove(&program, &viewer, &viewer).await.unwrap();
    let left = program.organizations.membership(place, user).await;
    assert_eq!(left.unwrap(), None);
    remove(&program, &admin, &member).await.unwrap();
    assert_eq!(kinds(&program).last(), Some(&"member.removed"));
    let gone = remove(&program, &admin, &member).await;
    assert!(matches!(gone, Err(Error::NotFound)));
}

#[tokio::test]
async fn members_of_another_organization_do_not_exist() {
    let program = program();
    let ([owner, ..], [stranger, ..]) = (team(&program).await, team(&program).await);
    let before = kinds(&program);
    for whom in [stranger.id, MemberId(1)] {
        let whom = Member {
            id: whom,
            ..stranger.clone()
        };
        let refused = change(&program, &owner, &whom, Role::Viewer).await;
        assert!(matches!(refused, Err(Error::NotFound)));
        let refused = remove(&program, &owner, &whom).await;
        assert!(matches!(refused, Err(Error::NotFound)));
    }
    assert_eq!(kinds(&program), before);
}
