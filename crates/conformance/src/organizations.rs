//! What a store of organizations must do: one function for each promise of the port.

pub mod program;
pub mod races;
pub mod usage;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archesai_organizations::{
    Error, Invitation, InvitationId, InvitationStatus, Member, MemberId, Organization,
    OrganizationId, Plan, Role, Slice, UserId,
    ports::{Repository, Scope, Sort, Store, Transaction},
};

use crate::fresh;

fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + seconds * 1_000_000 + 123_456)
}

fn organization(seconds: u64) -> Organization {
    Organization {
        id: OrganizationId(fresh()),
        name: "Engines".to_owned(),
        plan: Plan::Free,
        credits: 7,
        personal_of: None,
        version: 1,
        created_at: time(seconds),
        updated_at: time(seconds),
    }
}

fn member(organization: OrganizationId, role: Role, seconds: u64) -> Member {
    Member {
        id: MemberId(fresh()),
        user_id: UserId(fresh()),
        organization_id: organization,
        role,
        created_at: time(seconds),
    }
}

fn invitation(organization: OrganizationId, seconds: u64) -> Invitation {
    Invitation {
        id: InvitationId(fresh()),
        organization_id: organization,
        email: "a@example.com".to_owned(),
        role: Role::Member,
        status: InvitationStatus::Pending,
        invited_by: UserId(fresh()),
        created_at: time(seconds),
        expires_at: time(1_000),
    }
}

fn digest() -> [u8; 32] {
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(&fresh().to_be_bytes());
    digest
}

fn slice(limit: u32, descending: bool) -> Slice<Sort> {
    Slice {
        limit,
        after: None,
        sort: Sort::CreatedAt,
        descending,
    }
}

async fn stored(store: &impl Store) -> Organization {
    let organization = organization(0);
    store.insert_organization(&organization).await.unwrap();
    organization
}

/// Runs every check.
pub async fn suite(store: &impl Store) {
    an_organization_is_found_as_it_was_put(store).await;
    a_user_has_one_personal_organization(store).await;
    an_id_is_taken_once(store).await;
    an_organization_is_updated_from_the_version_before(store).await;
    members_are_found_within_their_organization_only(store).await;
    members_are_listed_in_pages_that_stay_put(store).await;
    memberships_are_listed_with_roles(store).await;
    an_invitation_is_settled_once(store).await;
    open_invitations_are_listed(store).await;
    a_deleted_organization_takes_all_with_it(store).await;
    a_dropped_transaction_leaves_nothing(store).await;
}

async fn an_organization_is_found_as_it_was_put(store: &impl Store) {
    let one = stored(store).await;
    assert_eq!(store.find_organization(one.id).await.unwrap(), Some(one));
    assert_eq!(
        store
            .find_organization(OrganizationId(fresh()))
            .await
            .unwrap(),
        None
    );
}

async fn a_user_has_one_personal_organization(store: &impl Store) {
    let user = UserId(fresh());
    let one = Organization {
        personal_of: Some(user),
        ..organization(0)
    };
    store.insert_organization(&one).await.unwrap();
    assert_eq!(store.find_personal(user).await.unwrap(), Some(one));
    let two = Organization {
        personal_of: Some(user),
        ..organization(0)
    };
    let refused = store.insert_organization(&two).await;
    assert!(
        matches!(refused, Err(Error::AlreadyHasPersonal)),
        "{refused:?}"
    );
}

async fn an_id_is_taken_once(store: &impl Store) {
    let personal = Organization {
        personal_of: Some(UserId(fresh())),
        ..organization(0)
    };
    store.insert_organization(&personal).await.unwrap();
    let other = Organization {
        id: personal.id,
        ..organization(1)
    };
    // The id decides, whether or not there is a personal one as well.
    for again in [&personal, &other] {
        let refused = store.insert_organization(again).await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
    let here = personal.id;
    assert_eq!(store.find_organization(here).await.unwrap(), Some(personal));

    let (one, token) = (invitation(here, 0), digest());
    store.insert_invitation(&one, &token).await.unwrap();
    let theirs = Invitation {
        id: one.id,
        ..invitation(stored(store).await.id, 0)
    };
    for again in [&one, &theirs] {
        let refused = store.insert_invitation(again, &digest()).await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
    let found = store.find_invitation_by_token(&token).await.unwrap();
    assert_eq!(found, Some(one));
}

async fn an_organization_is_updated_from_the_version_before(store: &impl Store) {
    let one = stored(store).await;
    let changed = Organization {
        name: "B".to_owned(),
        version: 2,
        updated_at: time(5),
        ..one
    };
    store.update_organization(&changed).await.unwrap();
    let found = store.find_organization(changed.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&changed));
    for stale in [changed, organization(0)] {
        let refused = store.update_organization(&stale).await;
        assert!(
            matches!(refused, Err(Error::VersionConflict)),
            "{refused:?}"
        );
    }
}

async fn members_are_found_within_their_organization_only(store: &impl Store) {
    let (here, there) = (stored(store).await.id, stored(store).await.id);
    let owner = member(here, Role::Owner, 0);
    store.insert_member(&owner).await.unwrap();
    assert_eq!(
        store.find_member(here, owner.id).await.unwrap().as_ref(),
        Some(&owner)
    );
    let found = store.find_member_of(here, owner.user_id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&owner));
    assert_eq!(store.find_member(there, owner.id).await.unwrap(), None);
    assert_eq!(
        store.find_member_of(there, owner.user_id).await.unwrap(),
        None
    );
    assert!(
        !store
            .update_member_role(there, owner.id, Role::Viewer)
            .await
            .unwrap()
    );
    assert!(!store.delete_member(there, owner.id).await.unwrap());
    assert_eq!(store.count_owners(here).await.unwrap(), 1);
    assert_eq!(store.count_owners(there).await.unwrap(), 0);

    let again = Member {
        id: MemberId(fresh()),
        ..owner.clone()
    };
    let refused = store.insert_member(&again).await;
    assert!(matches!(refused, Err(Error::AlreadyAMember)), "{refused:?}");
    assert!(
        store
            .update_member_role(here, owner.id, Role::Admin)
            .await
            .unwrap()
    );
    assert_eq!(store.count_owners(here).await.unwrap(), 0);
    assert!(store.delete_member(here, owner.id).await.unwrap());
    assert!(!store.delete_member(here, owner.id).await.unwrap());
}

async fn members_are_listed_in_pages_that_stay_put(store: &impl Store) {
    let here = stored(store).await.id;
    // Three of them came at the same moment: the id decides.
    let mut all: Vec<_> = [1, 2, 2, 2, 3]
        .map(|at| member(here, Role::Viewer, at))
        .into();
    for member in &all {
        store.insert_member(member).await.unwrap();
    }
    all.sort_by_key(|member| (member.created_at, member.id));
    for descending in [false, true] {
        let mut seen = Vec::new();
        let mut slice = slice(2, descending);
        loop {
            let page = store.list_members(here, &slice).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            slice.after = page.next;
            if slice.after.is_none() {
                break;
            }
        }
        if descending {
            seen.reverse();
        }
        assert_eq!(seen, all);
    }
}

async fn memberships_are_listed_with_roles(store: &impl Store) {
    let user = UserId(fresh());
    let mut expected = Vec::new();
    for (seconds, role) in [(1, Role::Owner), (2, Role::Viewer)] {
        let organization = organization(seconds);
        store.insert_organization(&organization).await.unwrap();
        let member = Member {
            user_id: user,
            ..member(organization.id, role, 0)
        };
        store.insert_member(&member).await.unwrap();
        expected.push((organization, role));
    }
    let page = store
        .list_memberships(user, &slice(10, false))
        .await
        .unwrap();
    let found: Vec<_> = page
        .items
        .into_iter()
        .map(|m| (m.organization, m.role))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(page.next, None);
}

async fn an_invitation_is_settled_once(store: &impl Store) {
    let (here, there) = (stored(store).await.id, stored(store).await.id);
    let (one, token) = (invitation(here, 0), digest());
    store.insert_invitation(&one, &token).await.unwrap();
    assert_eq!(
        store
            .find_invitation_by_token(&token)
            .await
            .unwrap()
            .as_ref(),
        Some(&one)
    );
    assert_eq!(
        store.find_invitation_by_token(&digest()).await.unwrap(),
        None
    );
    let accepted = InvitationStatus::Accepted;
    assert!(
        !store
            .settle_invitation(there, one.id, accepted)
            .await
            .unwrap()
    );
    assert!(
        store
            .settle_invitation(here, one.id, accepted)
            .await
            .unwrap()
    );
    assert!(
        !store
            .settle_invitation(here, one.id, InvitationStatus::Declined)
            .await
            .unwrap()
    );
    let found = store.find_invitation_by_token(&token).await.unwrap();
    assert_eq!(found.map(|found| found.status), Some(accepted));
}

async fn open_invitations_are_listed(store: &impl Store) {
    let here = stored(store).await.id;
    let (open, settled) = (invitation(here, 1), invitation(here, 2));
    let over = Invitation {
        expires_at: time(10),
        ..invitation(here, 3)
    };
    for invitation in [&open, &settled, &over] {
        store
            .insert_invitation(invitation, &digest())
            .await
            .unwrap();
    }
    let revoked = InvitationStatus::Revoked;
    assert!(
        store
            .settle_invitation(here, settled.id, revoked)
            .await
            .unwrap()
    );
    let page = store
        .list_invitations(here, time(10), &slice(10, false))
        .await
        .unwrap();
    assert_eq!(page.items, vec![open.clone()]);
    let pending = async |place, email: &str| {
        let found = store.pending_invitations_to(place, email).await;
        found.unwrap()
    };
    let found = pending(here, &open.email).await;
    assert!(found.contains(&open.id) && !found.contains(&settled.id));
    assert_eq!(pending(here, "nobody@example.com").await, []);
    assert_eq!(pending(OrganizationId(fresh()), &open.email).await, []);
}

async fn a_deleted_organization_takes_all_with_it(store: &impl Store) {
    let here = stored(store).await.id;
    let (owner, token) = (member(here, Role::Owner, 0), digest());
    store.insert_member(&owner).await.unwrap();
    store
        .insert_invitation(&invitation(here, 0), &token)
        .await
        .unwrap();
    assert!(store.delete_organization(here).await.unwrap());
    assert!(!store.delete_organization(here).await.unwrap());
    assert_eq!(
        store.find_member_of(here, owner.user_id).await.unwrap(),
        None
    );
    assert_eq!(store.find_invitation_by_token(&token).await.unwrap(), None);
}

async fn a_dropped_transaction_leaves_nothing(store: &impl Store) {
    let one = organization(0);
    let transaction = store.begin(Scope::Organization(one.id)).await.unwrap();
    transaction.lock_organization(one.id).await.unwrap();
    transaction.insert_organization(&one).await.unwrap();
    drop(transaction);
    let transaction = store.begin(Scope::System).await.unwrap();
    assert_eq!(transaction.find_organization(one.id).await.unwrap(), None);
    transaction.commit().await.unwrap();
}
