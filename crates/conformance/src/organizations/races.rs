//! What happens while a use case is halfway.

use archesai_organizations::{Error, Role, UserId, ports::Store};
use futures_util::future::join_all;
use tokio::join;

use super::program::{Program, actor, email};
use crate::fresh;

/// Runs every race.
pub async fn suite<S: Store + Clone>(store: &S) {
    let program = Program::new(store.clone());
    of_owners_who_remove_each_other_one_stays(&program).await;
    of_owners_who_demote_each_other_one_stays(&program).await;
    an_invitation_is_accepted_once(&program).await;
    one_home_is_made(&program).await;
    what_is_put_late_is_not_believed(&program).await;
}

async fn of_owners_who_remove_each_other_one_stays<S: Store>(program: &Program<S>) {
    let (place, one) = program.found().await;
    let other = program.join(&one, Role::Owner).await;
    let remove = async |by, whom| {
        program
            .organizations
            .remove_member(actor(by), place, whom)
            .await
    };
    let done = join!(remove(&one, other.id), remove(&other, one.id));
    assert!(
        matches!(
            done,
            (Ok(()), Err(Error::LastOwner)) | (Err(Error::LastOwner), Ok(()))
        ),
        "{done:?}"
    );
}

async fn of_owners_who_demote_each_other_one_stays<S: Store>(program: &Program<S>) {
    let (place, one) = program.found().await;
    let other = program.join(&one, Role::Owner).await;
    let demote = async |by, whom| {
        let organizations = &program.organizations;
        organizations
            .change_role(actor(by), place, whom, None, Role::Viewer)
            .await
    };
    let done = join!(demote(&one, other.id), demote(&other, one.id));
    assert!(
        matches!(
            done,
            (Ok(_), Err(Error::LastOwner)) | (Err(Error::LastOwner), Ok(_))
        ),
        "{done:?}"
    );
}

async fn an_invitation_is_accepted_once<S: Store>(program: &Program<S>) {
    let (_, owner) = program.found().await;
    let user = UserId(fresh());
    let (_, token) = program.invite(&owner, user, Role::Member).await;
    let email = email(user);
    let accepting = (0..8).map(|_| {
        program
            .organizations
            .accept_invitation(&token, user, &email)
    });
    let accepted = join_all(accepting).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = accepted.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 1);
    for refused in refused {
        assert!(
            matches!(refused, Err(Error::InvitationClosed)),
            "{refused:?}"
        );
    }
}

async fn one_home_is_made<S: Store>(program: &Program<S>) {
    let user = UserId(fresh());
    let homes = (0..8).map(|_| program.organizations.home(user, "Ada"));
    let homes = join_all(homes).await;
    let first = *homes[0].as_ref().unwrap();
    for home in homes {
        assert_eq!(home.unwrap(), first);
    }
}

/// A membership is read, then changed and forgotten, and only then put into the cache.
async fn what_is_put_late_is_not_believed<S: Store>(program: &Program<S>) {
    let (place, owner) = program.found().await;
    let member = program.join(&owner, Role::Admin).await;
    let (organizations, user) = (&program.organizations, member.user_id);

    let demote = organizations.change_role(actor(&owner), place, member.id, None, Role::Viewer);
    let (late, demoted) = join!(
        organizations.membership(place, user),
        program.gate.hold("put", demote)
    );
    demoted.unwrap();
    assert_eq!(late.unwrap().unwrap().role, Role::Viewer);
    assert_eq!(program.member(place, user).await.role, Role::Viewer);

    organizations.forget_member(place, user).await;
    let remove = organizations.remove_member(actor(&owner), place, member.id);
    let (late, removed) = join!(
        organizations.membership(place, user),
        program.gate.hold("put", remove)
    );
    removed.unwrap();
    assert_eq!(late.unwrap(), None);
    assert_eq!(organizations.membership(place, user).await.unwrap(), None);
}
