//! Making, changing and deleting organizations, and where users are at home.

use archesai_conformance::organizations::program::actor;
use archesai_organizations::{Error, OrganizationId, Role, UserId};

use super::{kinds, program};

const ADA: UserId = UserId(1);

#[tokio::test]
async fn whoever_makes_an_organization_owns_it() {
    let program = program();
    let id = OrganizationId(5);
    let made = program
        .organizations
        .create(ADA, id, " Engines ")
        .await
        .unwrap();
    assert_eq!(made.organization.name, "Engines");
    assert_eq!(made.organization.personal_of, None);
    assert_eq!(made.role, Role::Owner);
    assert_eq!(program.member(id, ADA).await.role, Role::Owner);
    assert_eq!(kinds(&program), ["organization.created", "member.added"]);
    for name in ["", " ", "a\u{7}", &"x".repeat(201)] {
        let refused = program
            .organizations
            .create(ADA, OrganizationId(6), name)
            .await;
        assert!(matches!(refused, Err(Error::Invalid { field: "name", .. })));
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_makes_nothing() {
    let program = program();
    let id = OrganizationId(5);
    let made = program
        .organizations
        .create(ADA, id, "Engines")
        .await
        .unwrap();
    let before = kinds(&program);
    let again = program
        .organizations
        .create(ADA, id, "Engines")
        .await
        .unwrap();
    assert_eq!(again, made);
    let stranger = program.organizations.create(UserId(2), id, "Engines").await;
    assert!(matches!(stranger, Err(Error::AlreadyExists)));
    assert_eq!(kinds(&program), before);
}

#[tokio::test]
async fn a_change_never_overwrites_another() {
    let program = program();
    let (id, owner) = program.found().await;
    let user = owner.user_id;
    let rename = async |versions: Option<&[u64]>, name: &str| {
        let name = Some(name.to_owned());
        program.organizations.update(user, id, versions, name).await
    };
    let changed = rename(Some(&[1]), " B ").await.unwrap();
    assert_eq!((changed.name.as_str(), changed.version), ("B", 2));
    assert_eq!(
        program.organizations.organization(id).await.unwrap(),
        changed
    );
    assert_eq!(kinds(&program).last(), Some(&"organization.updated"));
    let stale = rename(Some(&[1]), "C").await;
    assert!(matches!(stale, Err(Error::VersionConflict)));
    let broken = rename(None, "").await;
    assert!(matches!(broken, Err(Error::Invalid { field: "name", .. })));
    assert_eq!(
        program.organizations.organization(id).await.unwrap(),
        changed
    );
}

#[tokio::test]
async fn a_deleted_organization_has_no_members() {
    let program = program();
    let (id, owner) = program.found().await;
    let viewer = program.join(&owner, Role::Viewer).await;
    let users = [owner.user_id, viewer.user_id];
    for user in users {
        program.member(id, user).await;
    }
    program
        .organizations
        .delete(owner.user_id, id)
        .await
        .unwrap();
    for user in users {
        let membership = program.organizations.membership(id, user).await;
        assert_eq!(membership.unwrap(), None);
    }
    let gone = program.organizations.organization(id).await;
    assert!(matches!(gone, Err(Error::NotFound)));
    // Other nodes hear of each member, and of the organization last.
    let kinds = kinds(&program);
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["member.removed", "member.removed", "organization.deleted"]
    );
    let again = program.organizations.delete(owner.user_id, id).await;
    assert!(matches!(again, Err(Error::NotFound)));
}

#[tokio::test]
async fn home_is_ones_own_place_or_else_the_first_one() {
    let program = program();
    let home = async || program.organizations.home(ADA, "Ada").await.unwrap();
    let own = home().await;
    let organization = program.organizations.organization(own).await.unwrap();
    assert_eq!(organization.name, "Ada's organization");
    assert_eq!(organization.personal_of, Some(ADA));

    let elsewhere = OrganizationId(5);
    program
        .organizations
        .create(ADA, elsewhere, "B")
        .await
        .unwrap();
    assert_eq!(home().await, own);
    // Who left their own place is at home elsewhere.
    let me = program.member(own, ADA).await;
    let second = program.join(&me, Role::Owner).await;
    let left = program
        .organizations
        .remove_member(actor(&me), own, me.id)
        .await;
    left.unwrap();
    assert_eq!(home().await, elsewhere);
    program
        .organizations
        .delete(second.user_id, own)
        .await
        .unwrap();
    program.organizations.delete(ADA, elsewhere).await.unwrap();
    let new = home().await;
    assert!(new != own && new != elsewhere);
}

#[tokio::test]
async fn who_left_the_only_place_they_had_gets_another() {
    let program = program();
    let home = async || program.organizations.home(ADA, "Ada").await;
    let own = home().await.unwrap();
    let me = program.member(own, ADA).await;
    program.join(&me, Role::Owner).await;
    let left = program
        .organizations
        .remove_member(actor(&me), own, me.id)
        .await;
    left.unwrap();
    let new = home().await.unwrap();
    assert_ne!(new, own);
    assert_eq!(home().await.unwrap(), new);
    let former = program.organizations.organization(own).await.unwrap();
    assert_eq!(former.personal_of, None);
}
