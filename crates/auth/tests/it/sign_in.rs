//! Signing up, signing in, exchanging refresh tokens, changing the place of work.

use archesai_auth::{Error, Event, OrganizationId, Registration, UserId};

use super::{DAY, Program, kinds, last, last_reason, program};

fn registration(id: u128, email: &str, password: &str) -> Registration {
    Registration {
        id: UserId(id),
        email: email.to_owned(),
        name: " Ada ".to_owned(),
        password: password.to_owned(),
        user_agent: Some("x".repeat(1_000)),
    }
}

/// How signing up fails.
async fn refused(program: &Program, registration: Registration) -> Error {
    let before = kinds(program);
    let refused = program.auth.register(registration).await.unwrap_err();
    assert_eq!(kinds(program), before, "nothing is written");
    refused
}

#[tokio::test]
async fn whoever_signs_up_is_signed_in_at_home() {
    let program = program();
    let new = registration(1, " Ada@Example.com", "correct horse");
    let signed_in = program.auth.register(new).await.unwrap();
    assert_eq!(signed_in.user.email.as_str(), "ada@example.com");
    assert_eq!(signed_in.user.name, "Ada");
    let session = &signed_in.session;
    assert_eq!(session.active_organization_id, OrganizationId(1));
    assert_eq!(session.user_agent.as_ref().unwrap().len(), 300);
    assert_eq!(session.expires_at, session.created_at + 30 * DAY);
    assert_eq!(kinds(&program), ["user.registered", "session.started"]);

    let token = &signed_in.access_token;
    let identity = program.auth.authenticate(token).await.unwrap();
    assert_eq!(identity.user_id, signed_in.user.id);
    assert_eq!(identity.session_id, Some(session.id));
    assert_eq!(identity.organization_id, OrganizationId(1));
    assert_eq!(identity.scopes, None);
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_name() {
    let program = program();
    for (email, password, expected) in [
        ("ada", "correct horse", "email"),
        ("ada@example.com", "seven77", "password"),
        ("ada@example.com", &"x".repeat(1_025), "password"),
    ] {
        let error = refused(&program, registration(1, email, password)).await;
        assert!(matches!(error, Error::Invalid { field, .. } if field == expected));
    }
    for name in ["", "  ", "a\u{7}", &"x".repeat(201)] {
        let named = Registration {
            name: name.to_owned(),
            ..registration(1, "ada@example.com", "correct horse")
        };
        let error = refused(&program, named).await;
        assert!(matches!(error, Error::Invalid { field: "name", .. }));
    }
}

#[tokio::test]
async fn an_address_belongs_to_one_user() {
    let program = program();
    let first = registration(1, "ada@example.com", "correct horse");
    program.auth.register(first).await.unwrap();
    let second = registration(2, "ADA@example.com", "correct horse");
    assert!(matches!(refused(&program, second).await, Error::EmailTaken));
    // Neither the identity nor the password alone proves that it is the same request.
    let guess = registration(1, "ada@example.com", "battery staple");
    assert!(matches!(refused(&program, guess).await, Error::EmailTaken));
}

#[tokio::test]
async fn a_request_that_is_repeated_signs_in() {
    let program = program();
    let again = || registration(1, "ada@example.com", "correct horse");
    let first = program.auth.register(again()).await.unwrap();
    let second = program.auth.register(again()).await.unwrap();
    assert_eq!(first.user, second.user);
    assert_eq!(
        kinds(&program),
        ["user.registered", "session.started", "session.started"]
    );
}

#[tokio::test]
async fn only_the_password_signs_in() {
    let program = program();
    let user = program.register().await.user;
    program.login(&user, "first password").await.unwrap();
    let wrong = program.login(&user, "another one").await;
    assert!(matches!(wrong, Err(Error::WrongCredentials)));
    let nobody = archesai_auth::User {
        email: archesai_auth::Email::parse("nobody@example.com").unwrap(),
        ..user
    };
    let unknown = program.login(&nobody, "first password").await;
    assert!(matches!(unknown, Err(Error::WrongCredentials)));
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_and_a_longer_life() {
    let program = program();
    let first = program.register().await;
    program.pass(29 * DAY);
    let old = &first.access_token;
    let expired = program.auth.authenticate(old).await;
    assert!(matches!(expired, Err(Error::InvalidToken)));

    let second = program.auth.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(second.session.id, first.session.id);
    assert_eq!(
        second.session.expires_at,
        first.session.expires_at + 29 * DAY
    );
    assert_ne!(second.refresh_token, first.refresh_token);
    program
        .auth
        .authenticate(&second.access_token)
        .await
        .unwrap();
    let refreshed = Event::SessionRefreshed {
        session_id: first.session.id,
        user_id: first.user.id,
        active_organization_id: first.session.active_organization_id,
    };
    assert_eq!(last(&program).event, refreshed);

    program.pass(30 * DAY);
    let late = program.auth.refresh(&second.refresh_token).await;
    assert!(matches!(late, Err(Error::InvalidToken)));
}

#[tokio::test]
async fn a_refresh_token_that_is_shown_twice_ends_the_session() {
    let program = program();
    let first = program.register().await;
    let second = program.auth.refresh(&first.refresh_token).await.unwrap();
    program
        .auth
        .authenticate(&second.access_token)
        .await
        .unwrap();

    let copy = program.auth.refresh(&first.refresh_token).await;
    assert!(matches!(copy, Err(Error::InvalidToken)));
    assert_eq!(last_reason(&program), "refresh_token_reused");
    let refused = program.auth.authenticate(&second.access_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
    let refused = program.auth.refresh(&second.refresh_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
    let unknown = program.auth.refresh("arr_nothing").await;
    assert!(matches!(unknown, Err(Error::InvalidToken)));
}

#[tokio::test]
async fn whoever_lost_their_place_goes_home_with_the_next_refresh() {
    let program = program();
    let first = program.register().await;
    let (user, elsewhere) = (first.user.id, OrganizationId(9));
    let places = &program.auth.memberships;
    let id = first.session.id;

    let stranger = program.auth.switch_organization(id, elsewhere).await;
    assert!(matches!(stranger, Err(Error::NotAMember)));
    places.set(user, elsewhere, Some("viewer"));
    let there = program
        .auth
        .switch_organization(id, elsewhere)
        .await
        .unwrap();
    assert_eq!(there.session.active_organization_id, elsewhere);
    let moved = Event::SessionUpdated {
        session_id: id,
        user_id: user,
        active_organization_id: elsewhere,
    };
    assert_eq!(last(&program).event, moved);
    let identity = program.auth.authenticate(&there.access_token).await;
    assert_eq!(identity.unwrap().organization_id, elsewhere);

    places.set(user, elsewhere, None);
    let home = program.auth.refresh(&there.refresh_token).await.unwrap();
    assert_eq!(home.session.active_organization_id, OrganizationId(user.0));
    // Changing the place spends the token, like a refresh.
    let copy = program.auth.refresh(&first.refresh_token).await;
    assert!(matches!(copy, Err(Error::InvalidToken)));
    assert_eq!(last_reason(&program), "refresh_token_reused");
}

#[tokio::test]
async fn a_session_ends_in_the_end_however_often_it_is_refreshed() {
    let mut program = program();
    program.auth.settings.session_max_ttl = 100 * DAY;
    let mut signed_in = program.register().await;
    let end = signed_in.session.created_at + 100 * DAY;
    for expected in [45, 60, 75, 90, 100, 100] {
        program.pass(15 * DAY);
        signed_in = program
            .auth
            .refresh(&signed_in.refresh_token)
            .await
            .unwrap();
        let expires = signed_in.session.expires_at;
        assert_eq!(expires, signed_in.session.created_at + expected * DAY);
    }
    assert_eq!(signed_in.session.expires_at, end);
    program.pass(10 * DAY);
    let over = program.auth.refresh(&signed_in.refresh_token).await;
    assert!(matches!(over, Err(Error::InvalidToken)), "{over:?}");
    assert_eq!(program.auth.sweep_sessions().await.unwrap(), 1);

    program.auth.settings.session_max_ttl = DAY;
    let short = program.register().await.session;
    assert_eq!(short.expires_at, short.created_at + DAY);
}
