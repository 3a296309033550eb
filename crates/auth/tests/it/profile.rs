//! What users see and change of themselves.

use archesai_auth::{Error, PasswordChange, UserChanges, UserId};
use archesai_conformance::auth::whole;

use super::{kinds, last_reason, program};

fn called(name: &str) -> UserChanges {
    UserChanges {
        name: Some(name.to_owned()),
    }
}

#[tokio::test]
async fn a_change_is_seen_at_once_and_never_overwrites_another() {
    let program = program();
    let user = program.register().await.user;
    assert_eq!(program.auth.user(user.id).await.unwrap(), user);

    let update = program.auth.update_user(user.id, Some(&[1]), called(" B "));
    let changed = update.await.unwrap();
    assert_eq!((changed.name.as_str(), changed.version), ("B", 2));
    assert_eq!(program.auth.user(user.id).await.unwrap(), changed);
    assert_eq!(kinds(&program).last(), Some(&"user.updated"));

    let stale = program.auth.update_user(user.id, Some(&[1]), called("C"));
    assert!(matches!(stale.await, Err(Error::VersionConflict)));
    let broken = program.auth.update_user(user.id, None, called(""));
    assert!(matches!(
        broken.await,
        Err(Error::Invalid { field: "name", .. })
    ));
    let unknown = program.auth.update_user(UserId(9), None, called("D"));
    assert!(matches!(unknown.await, Err(Error::NotFound)));
    assert_eq!(program.auth.user(user.id).await.unwrap(), changed);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session() {
    let program = program();
    let kept = program.register().await;
    let user = &kept.user;
    let other = program.login(user, "first password").await.unwrap();
    let stranger = program.register().await;
    for signed_in in [&kept, &other] {
        program
            .auth
            .authenticate(&signed_in.access_token)
            .await
            .unwrap();
    }
    let change = |current: &str, new: &str| {
        let change = PasswordChange {
            current: current.to_owned(),
            new: new.to_owned(),
        };
        program
            .auth
            .change_password(user.id, Some(kept.session.id), change)
    };
    let wrong = change("another one", "second password").await;
    assert!(matches!(wrong, Err(Error::WrongCredentials)));
    let short = change("first password", "short").await;
    assert!(matches!(
        short,
        Err(Error::Invalid {
            field: "new_password",
            ..
        })
    ));
    program
        .auth
        .authenticate(&other.access_token)
        .await
        .unwrap();

    change("first password", "second password").await.unwrap();
    assert_eq!(last_reason(&program), "password_changed");
    program.auth.authenticate(&kept.access_token).await.unwrap();
    program.auth.refresh(&kept.refresh_token).await.unwrap();
    program
        .auth
        .authenticate(&stranger.access_token)
        .await
        .unwrap();
    let refused = program.auth.authenticate(&other.access_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
    let refused = program.auth.refresh(&other.refresh_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
    let old = program.login(user, "first password").await;
    assert!(matches!(old, Err(Error::WrongCredentials)));
    program.login(user, "second password").await.unwrap();
}

#[tokio::test]
async fn a_change_of_password_ends_however_many_sessions() {
    let program = program();
    let kept = program.register().await;
    let user = &kept.user;
    for _ in 0..150 {
        program.login(user, "first password").await.unwrap();
    }
    let change = PasswordChange {
        current: "first password".to_owned(),
        new: "second password".to_owned(),
    };
    let changed = program
        .auth
        .change_password(user.id, Some(kept.session.id), change);
    changed.await.unwrap();
    let left = program.auth.sessions_of(user.id, &whole()).await.unwrap();
    assert_eq!(left.items, [kept.session]);
}
