//! Seeing and ending sessions.

use archesai_auth::Error;
use archesai_conformance::auth::whole;

use super::{DAY, kinds, last, last_reason, program};

#[tokio::test]
async fn a_session_that_ends_takes_its_tokens_with_it() {
    let program = program();
    let first = program.register().await;
    let second = program.login(&first.user, "first password").await.unwrap();
    let user = first.user.id;
    let ids = async || -> Vec<_> {
        let sessions = program.auth.sessions_of(user, &whole()).await.unwrap();
        sessions
            .items
            .into_iter()
            .map(|session| session.id)
            .collect()
    };
    assert_eq!(ids().await, [second.session.id, first.session.id]);
    // It is remembered, and forgotten at once.
    program
        .auth
        .authenticate(&first.access_token)
        .await
        .unwrap();

    let revoked = program.auth.revoke_session(user, first.session.id).await;
    revoked.unwrap();
    assert_eq!(last_reason(&program), "revoked");
    for signed_in in [&first] {
        let refused = program.auth.authenticate(&signed_in.access_token).await;
        assert!(matches!(refused, Err(Error::InvalidToken)));
        let refused = program.auth.refresh(&signed_in.refresh_token).await;
        assert!(matches!(refused, Err(Error::InvalidToken)));
    }
    program
        .auth
        .authenticate(&second.access_token)
        .await
        .unwrap();

    program.auth.logout(second.session.id).await.unwrap();
    assert_eq!(last_reason(&program), "logout");
    let before = kinds(&program);
    program.auth.logout(second.session.id).await.unwrap();
    assert_eq!(kinds(&program), before, "it has ended already");
    assert_eq!(ids().await, []);
}

/// Without its caches everything works, and what ends has ended.
#[tokio::test]
async fn a_cache_that_fails_fails_nobody() {
    let program = program();
    let auth = &program.auth;
    auth.sessions.break_down();
    auth.users.break_down();
    auth.api_keys.break_down();
    let signed_in = program.register().await;
    auth.authenticate(&signed_in.access_token).await.unwrap();
    auth.user(signed_in.user.id).await.unwrap();
    let signed_in = auth.refresh(&signed_in.refresh_token).await.unwrap();
    auth.logout(signed_in.session.id).await.unwrap();
    let refused = auth.authenticate(&signed_in.access_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
}

#[tokio::test]
async fn nobody_ends_the_session_of_another() {
    let program = program();
    let (ada, eve) = (program.register().await, program.register().await);
    let foreign = program.auth.revoke_session(eve.user.id, ada.session.id);
    assert!(matches!(foreign.await, Err(Error::NotFound)));
    program.auth.authenticate(&ada.access_token).await.unwrap();
}

#[tokio::test]
async fn what_has_expired_is_swept_and_told() {
    let program = program();
    let user = program.register().await.user;
    // More than one transaction's worth.
    for _ in 0..150 {
        program.login(&user, "first password").await.unwrap();
    }
    program.pass(DAY);
    let alive = program.login(&user, "first password").await.unwrap();
    assert_eq!(program.auth.sweep_sessions().await.unwrap(), 0);

    program.pass(29 * DAY);
    assert_eq!(program.auth.sweep_sessions().await.unwrap(), 151);
    let left = program.auth.sessions_of(user.id, &whole()).await.unwrap();
    assert_eq!(left.items, [alive.session]);
    let ends = kinds(&program)
        .into_iter()
        .filter(|kind| *kind == "session.revoked");
    assert_eq!(ends.count(), 151);
    assert_eq!(last_reason(&program), "expired");
    assert_eq!(last(&program).actor_id, None);
}
