//! API keys.

use archesai_auth::{ApiKeyId, Error, NewApiKey, OrganizationId, Scope, UserId};
use archesai_conformance::auth::whole;

use super::{DAY, kinds, program};

const PLACE: OrganizationId = OrganizationId(7);
const ADA: UserId = UserId(1);

fn new(id: u128) -> NewApiKey {
    NewApiKey {
        id: ApiKeyId(id),
        name: "ci".to_owned(),
        scopes: vec![Scope::WorkflowsRun, Scope::ContentRead, Scope::WorkflowsRun],
        expires_at: None,
    }
}

#[tokio::test]
async fn a_key_speaks_for_its_maker_within_its_scopes() {
    let program = program();
    let made = program.auth.create_api_key(PLACE, ADA, new(5)).await;
    let (key, token) = made.unwrap();
    assert_eq!(key.scopes, [Scope::ContentRead, Scope::WorkflowsRun]);
    assert!(token.starts_with(&key.prefix) && token.len() > 2 * key.prefix.len());
    assert_eq!(kinds(&program), ["api_key.created"]);
    let keys = program.auth.api_keys_of(PLACE, ADA, &whole()).await;
    assert_eq!(keys.unwrap().items, std::slice::from_ref(&key));

    // From the store, and then from the cache.
    for _ in 0..2 {
        let identity = program.auth.authenticate(&token).await.unwrap();
        assert_eq!(identity.user_id, ADA);
        assert_eq!(identity.organization_id, PLACE);
        assert_eq!(identity.api_key_id, Some(key.id));
        assert_eq!(identity.session_id, None);
        assert_eq!(identity.scopes.as_ref(), Some(&key.scopes));
    }
}

#[tokio::test]
async fn the_id_without_the_secret_is_worth_nothing() {
    let program = program();
    let made = program.auth.create_api_key(PLACE, ADA, new(5)).await;
    let (_, token) = made.unwrap();
    program.auth.authenticate(&token).await.unwrap();
    let (id, secret) = token.rsplit_once('_').unwrap();
    let other = format!("{id}_{}", secret.chars().rev().collect::<String>());
    for wrong in [
        other.as_str(),
        id,
        "ark_",
        "ark_ä",
        &format!("ark_{:032x}_{secret}", 6),
    ] {
        let refused = program.auth.authenticate(wrong).await;
        assert!(matches!(refused, Err(Error::InvalidToken)), "{wrong}");
    }
}

#[tokio::test]
async fn a_key_that_is_taken_back_is_refused_at_once() {
    let program = program();
    let made = program.auth.create_api_key(PLACE, ADA, new(5)).await;
    let (key, token) = made.unwrap();
    program.auth.authenticate(&token).await.unwrap();
    for (place, user) in [(PLACE, UserId(2)), (OrganizationId(8), ADA)] {
        let foreign = program.auth.delete_api_key(place, user, key.id).await;
        assert!(matches!(foreign, Err(Error::NotFound)));
    }
    program.auth.authenticate(&token).await.unwrap();
    program
        .auth
        .delete_api_key(PLACE, ADA, key.id)
        .await
        .unwrap();
    let refused = program.auth.authenticate(&token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
    assert_eq!(kinds(&program), ["api_key.created", "api_key.deleted"]);
    let again = program.auth.delete_api_key(PLACE, ADA, key.id).await;
    assert!(matches!(again, Err(Error::NotFound)));
}

#[tokio::test]
async fn the_keys_of_who_left_are_taken_back_once() {
    let program = program();
    let auth = &program.auth;
    let mut tokens = Vec::new();
    for id in [5, 6] {
        let (_, token) = auth.create_api_key(PLACE, ADA, new(id)).await.unwrap();
        auth.authenticate(&token).await.unwrap();
        tokens.push(token);
    }
    let left = archesai_auth::Clock::now(program.clock.as_ref());
    program.clock.pass(DAY);
    // Those of others, those elsewhere, and those made after coming back.
    let mut kept = Vec::new();
    for (id, place, user) in [
        (7, PLACE, UserId(2)),
        (8, OrganizationId(8), ADA),
        (9, PLACE, ADA),
    ] {
        let made = auth.create_api_key(place, user, new(id)).await;
        kept.push(made.unwrap().1);
    }
    // What tells of it may come twice.
    for _ in 0..2 {
        let taken = auth.take_back_api_keys(PLACE, ADA, Some(UserId(2)), left);
        taken.await.unwrap();
    }
    for token in tokens {
        let refused = auth.authenticate(&token).await;
        assert!(matches!(refused, Err(Error::InvalidToken)));
    }
    for token in kept {
        auth.authenticate(&token).await.unwrap();
    }
    let deleted = kinds(&program)
        .into_iter()
        .filter(|kind| *kind == "api_key.deleted");
    assert_eq!(deleted.count(), 2);
}

/// Another node took it back: what the event tells suffices to forget it.
#[tokio::test]
async fn a_key_is_forgotten_by_its_id() {
    let program = program();
    let made = program.auth.create_api_key(PLACE, ADA, new(5)).await;
    let (key, token) = made.unwrap();
    program.auth.authenticate(&token).await.unwrap();
    let store = &program.auth.store;
    let deleted = archesai_auth::ports::Repository::delete_api_key(store, PLACE, ADA, key.id);
    assert!(deleted.await.unwrap());
    program.auth.authenticate(&token).await.unwrap();
    program.auth.forget_api_key(key.id).await;
    let refused = program.auth.authenticate(&token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
}

#[tokio::test]
async fn a_key_ends_when_it_said() {
    let program = program();
    let now = archesai_auth::Clock::now(program.clock.as_ref());
    let made = program.auth.create_api_key(
        PLACE,
        ADA,
        NewApiKey {
            expires_at: Some(now + DAY),
            ..new(5)
        },
    );
    let (_, token) = made.await.unwrap();
    program.auth.authenticate(&token).await.unwrap();
    program.pass(DAY);
    let refused = program.auth.authenticate(&token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_name() {
    let program = program();
    let now = archesai_auth::Clock::now(program.clock.as_ref());
    for (broken, expected) in [
        (
            NewApiKey {
                scopes: Vec::new(),
                ..new(5)
            },
            "scopes",
        ),
        (
            NewApiKey {
                expires_at: Some(now),
                ..new(5)
            },
            "expires_at",
        ),
        (
            NewApiKey {
                name: " ".to_owned(),
                ..new(5)
            },
            "name",
        ),
    ] {
        let refused = program.auth.create_api_key(PLACE, ADA, broken).await;
        assert!(matches!(refused, Err(Error::Invalid { field, .. }) if field == expected));
    }
    assert!(kinds(&program).is_empty());
}
