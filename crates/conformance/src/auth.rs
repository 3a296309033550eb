//! What a store of auth must do: one function for each promise of the port.

pub mod program;
pub mod races;

use std::{
    fmt::Debug,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use archesai_auth::{
    ApiKey, ApiKeyId, Email, Error, Event, OrganizationId, Page, Recorded, Scope, Session,
    SessionId, SigningKeyId, Slice, User, UserId,
    ports::{Repository, SigningKey, Sort, Store, TokenDigest, Transaction},
};

use crate::fresh;

/// A time that every store can keep: to the microsecond.
fn time(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + seconds * 1_000_000 + 123_456)
}

/// The beginning of a list, the newest first.
pub fn whole() -> Slice<Sort> {
    Slice {
        limit: 100,
        after: None,
        sort: Sort::CreatedAt,
        descending: true,
    }
}

fn digest() -> TokenDigest {
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(&fresh().to_be_bytes());
    digest
}

pub(crate) fn user() -> User {
    let id = UserId(fresh());
    User {
        id,
        email: Email::parse(&format!("{id}@example.com")).expect("an address"),
        name: "Zoë 🦀".to_owned(),
        version: 1,
        created_at: time(0),
        updated_at: time(1),
    }
}

pub(crate) fn session(user: &User) -> Session {
    Session {
        id: SessionId(fresh()),
        user_id: user.id,
        active_organization_id: OrganizationId(fresh()),
        user_agent: Some("curl/8".to_owned()),
        created_at: time(0),
        refreshed_at: time(0),
        expires_at: time(1_000),
    }
}

pub(crate) fn api_key(user: UserId) -> ApiKey {
    ApiKey {
        id: ApiKeyId(fresh()),
        user_id: user,
        organization_id: OrganizationId(fresh()),
        name: "ci".to_owned(),
        prefix: "ark_abc".to_owned(),
        scopes: vec![Scope::ContentRead, Scope::WorkflowsRun],
        created_at: time(0),
        expires_at: Some(time(7)),
    }
}

async fn stored_user(store: &impl Store) -> User {
    let user = user();
    store.insert_user(&user, "hash").await.expect("a user");
    user
}

/// Runs every check.
pub async fn suite(store: &impl Store) {
    users_are_found_as_they_were_put(store).await;
    an_address_is_taken_once(store).await;
    an_id_is_taken_once(store).await;
    a_user_is_updated_from_the_version_before(store).await;
    sessions_are_found_by_id_and_newest_token(store).await;
    a_token_is_rotated_once_and_spent(store).await;
    a_switched_session_spends_its_token(store).await;
    live_sessions_are_listed_in_pages(store).await;
    sessions_are_deleted_once_and_listed_when_expired(store).await;
    api_keys_belong_to_a_user_in_an_organization(store).await;
    signing_keys_are_listed_oldest_first(store).await;
    a_committed_transaction_is_seen_and_a_dropped_one_is_not(store).await;
}

async fn users_are_found_as_they_were_put(store: &impl Store) {
    let user = stored_user(store).await;
    assert_eq!(
        store.find_user(user.id).await.unwrap().as_ref(),
        Some(&user)
    );
    let found = store.find_user_by_email(&user.email).await.unwrap();
    assert_eq!(found.as_ref(), Some(&user));
    let hash = store.find_password_hash(user.id).await.unwrap();
    assert_eq!(hash.as_deref(), Some("hash"));
    store.update_password_hash(user.id, "other").await.unwrap();
    let hash = store.find_password_hash(user.id).await.unwrap();
    assert_eq!(hash.as_deref(), Some("other"));

    let nobody = UserId(fresh());
    assert_eq!(store.find_user(nobody).await.unwrap(), None);
    assert_eq!(store.find_password_hash(nobody).await.unwrap(), None);
    let some = store.find_users(&[nobody, user.id]).await.unwrap();
    assert_eq!(some, vec![user]);
    assert_eq!(store.find_users(&[]).await.unwrap(), vec![]);
}

async fn an_address_is_taken_once(store: &impl Store) {
    let first = stored_user(store).await;
    let second = User {
        email: first.email,
        ..user()
    };
    let refused = store.insert_user(&second, "hash").await;
    assert!(matches!(refused, Err(Error::EmailTaken)), "{refused:?}");
    assert_eq!(store.find_user(second.id).await.unwrap(), None);
}

async fn an_id_is_taken_once(store: &impl Store) {
    let first = stored_user(store).await;
    let other = User {
        id: first.id,
        ..user()
    };
    // The id decides, whether or not the address is taken as well.
    for again in [&first, &other] {
        let refused = store.insert_user(again, "other").await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
    let hash = store.find_password_hash(first.id).await.unwrap();
    assert_eq!(hash.as_deref(), Some("hash"));

    let (key, token) = (api_key(first.id), digest());
    store.insert_api_key(&key, &token).await.unwrap();
    let theirs = ApiKey {
        id: key.id,
        ..api_key(stored_user(store).await.id)
    };
    for again in [&key, &theirs] {
        let refused = store.insert_api_key(again, &digest()).await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
    let found = store.find_api_key(key.id).await.unwrap();
    assert_eq!(found, Some((key, token)));
}

async fn a_user_is_updated_from_the_version_before(store: &impl Store) {
    let user = stored_user(store).await;
    let changed = User {
        name: "B".to_owned(),
        version: 2,
        updated_at: time(9),
        ..user.clone()
    };
    store.update_user(&changed).await.unwrap();
    assert_eq!(
        store.find_user(user.id).await.unwrap().as_ref(),
        Some(&changed)
    );
    for stale in [changed, self::user()] {
        let refused = store.update_user(&stale).await;
        assert!(
            matches!(refused, Err(Error::VersionConflict)),
            "{refused:?}"
        );
    }
}

async fn sessions_are_found_by_id_and_newest_token(store: &impl Store) {
    let session = session(&stored_user(store).await);
    let token = digest();
    store.insert_session(&session, &token).await.unwrap();
    assert_eq!(
        store.find_session(session.id).await.unwrap().as_ref(),
        Some(&session)
    );
    assert_eq!(
        store.find_session_by_token(&token).await.unwrap(),
        Some(session)
    );
    assert_eq!(store.find_session_by_token(&digest()).await.unwrap(), None);
    assert_eq!(
        store.find_session_by_spent_token(&token).await.unwrap(),
        None
    );
}

async fn a_token_is_rotated_once_and_spent(store: &impl Store) {
    let session = session(&stored_user(store).await);
    let (old, new) = (digest(), digest());
    store.insert_session(&session, &old).await.unwrap();
    let moved = Session {
        refreshed_at: time(5),
        expires_at: time(2_000),
        active_organization_id: OrganizationId(fresh()),
        ..session
    };
    assert!(
        store
            .rotate_session_token(&moved, &old, &new)
            .await
            .unwrap()
    );
    assert!(
        !store
            .rotate_session_token(&moved, &old, &digest())
            .await
            .unwrap()
    );
    assert_eq!(store.find_session_by_token(&old).await.unwrap(), None);
    assert_eq!(
        store.find_session_by_token(&new).await.unwrap().as_ref(),
        Some(&moved)
    );
    assert_eq!(
        store.find_session_by_spent_token(&old).await.unwrap(),
        Some(moved)
    );
}

async fn a_switched_session_spends_its_token(store: &impl Store) {
    let session = session(&stored_user(store).await);
    let (old, new) = (digest(), digest());
    store.insert_session(&session, &old).await.unwrap();
    let moved = Session {
        active_organization_id: OrganizationId(fresh()),
        ..session
    };
    assert!(store.switch_session(&moved, &new).await.unwrap());
    assert_eq!(
        store.find_session_by_token(&new).await.unwrap().as_ref(),
        Some(&moved)
    );
    assert_eq!(
        store
            .find_session_by_spent_token(&old)
            .await
            .unwrap()
            .as_ref(),
        Some(&moved)
    );
    let nobody = Session {
        id: SessionId(fresh()),
        ..moved
    };
    assert!(!store.switch_session(&nobody, &digest()).await.unwrap());
}

async fn live_sessions_are_listed_in_pages(store: &impl Store) {
    let user = stored_user(store).await;
    let at = |seconds: u64| Session {
        created_at: time(seconds),
        ..session(&user)
    };
    // Two of one moment, in the order of their ids, and one that is over.
    let mut live = [at(1), at(2), at(2), at(4)];
    live.sort_by_key(|session| (session.created_at, session.id));
    let over = Session {
        expires_at: time(10),
        ..at(3)
    };
    for session in live.iter().chain([&over]) {
        store.insert_session(session, &digest()).await.unwrap();
    }
    in_pages(&live, async |slice| {
        let page = store.list_sessions(user.id, time(10), slice).await;
        page.unwrap()
    })
    .await;
}

/// Insists that a list is read whole in pages of any size, from either end.
async fn in_pages<T: Clone + PartialEq + Debug>(
    items: &[T],
    read: impl AsyncFn(&Slice<Sort>) -> Page<T>,
) {
    for (limit, descending) in [(1, false), (3, true), (10, false), (10, true)] {
        let mut slice = Slice {
            limit,
            descending,
            ..whole()
        };
        let mut seen = Vec::new();
        loop {
            let page = read(&slice).await;
            assert!(page.items.len() <= limit as usize);
            seen.extend(page.items);
            slice.after = page.next;
            if slice.after.is_none() {
                break;
            }
        }
        if descending {
            seen.reverse();
        }
        assert_eq!(seen, items);
    }
}

async fn sessions_are_deleted_once_and_listed_when_expired(store: &impl Store) {
    let user = stored_user(store).await;
    let (one, token) = (session(&user), digest());
    store.insert_session(&one, &token).await.unwrap();
    assert!(
        store
            .rotate_session_token(&one, &token, &digest())
            .await
            .unwrap()
    );
    assert!(store.delete_session(one.id).await.unwrap());
    assert!(!store.delete_session(one.id).await.unwrap());
    assert_eq!(
        store.find_session_by_spent_token(&token).await.unwrap(),
        None
    );

    let over = Session {
        expires_at: time(3),
        ..session(&user)
    };
    store.insert_session(&over, &digest()).await.unwrap();
    let expired = async |at| store.list_expired_sessions(at, 1_000).await.unwrap();
    assert!(!expired(time(2)).await.contains(&over));
    assert!(expired(time(3)).await.contains(&over));
    assert_eq!(store.list_expired_sessions(time(3), 0).await.unwrap(), []);
    assert!(store.delete_session(over.id).await.unwrap());
}

async fn api_keys_belong_to_a_user_in_an_organization(store: &impl Store) {
    let user = stored_user(store).await;
    let (key, token) = (api_key(user.id), digest());
    let organization = key.organization_id;
    store.insert_api_key(&key, &token).await.unwrap();
    assert_eq!(
        store.find_api_key(key.id).await.unwrap(),
        Some((key.clone(), token))
    );
    let younger = ApiKey {
        organization_id: organization,
        created_at: time(1),
        ..api_key(user.id)
    };
    store.insert_api_key(&younger, &digest()).await.unwrap();
    in_pages(&[key.clone(), younger], async |slice| {
        let page = store.list_api_keys(organization, user.id, slice).await;
        page.unwrap()
    })
    .await;
    let (elsewhere, other) = (OrganizationId(fresh()), UserId(fresh()));
    let none = store.list_api_keys(elsewhere, user.id, &whole()).await;
    assert_eq!(none.unwrap().items, []);
    for (organization, user) in [(elsewhere, user.id), (organization, other)] {
        let deleted = store
            .delete_api_key(organization, user, key.id)
            .await
            .unwrap();
        assert!(!deleted);
    }
    let deleted = store
        .delete_api_key(organization, user.id, key.id)
        .await
        .unwrap();
    assert!(deleted);
    assert_eq!(store.find_api_key(key.id).await.unwrap(), None);
}

async fn signing_keys_are_listed_oldest_first(store: &impl Store) {
    let key = |seconds| SigningKey {
        id: SigningKeyId(fresh()),
        public_key: vec![1; 32],
        sealed_private_key: vec![2; 61],
        created_at: time(seconds),
    };
    let (young, old) = (key(2), key(1));
    store.insert_signing_key(&young).await.unwrap();
    store.insert_signing_key(&old).await.unwrap();
    let ours = async || {
        let mut keys = store.list_signing_keys().await.unwrap();
        keys.retain(|key| [young.id, old.id].contains(&key.id));
        keys
    };
    assert_eq!(ours().await, [old.clone(), young.clone()]);
    let same = SigningKey {
        public_key: vec![4; 32],
        ..old.clone()
    };
    store.insert_signing_key(&same).await.unwrap();
    assert_eq!(ours().await, [old.clone(), young.clone()]);
    let resealed = SigningKey {
        sealed_private_key: vec![3; 61],
        ..young.clone()
    };
    let sealed = &resealed.sealed_private_key;
    store.reseal_signing_key(young.id, sealed).await.unwrap();
    assert_eq!(ours().await, [old.clone(), resealed]);
}

async fn a_committed_transaction_is_seen_and_a_dropped_one_is_not(store: &impl Store) {
    let (kept, lost) = (user(), user());
    let event = Recorded {
        id: fresh(),
        organization_id: None,
        actor_id: Some(kept.id),
        occurred_at: time(0),
        event: Event::UserUpdated { user_id: kept.id },
    };
    let transaction = store.begin().await.unwrap();
    transaction.insert_user(&lost, "hash").await.unwrap();
    assert!(transaction.find_user(lost.id).await.unwrap().is_some());
    drop(transaction);

    let transaction = store.begin().await.unwrap();
    assert_eq!(transaction.find_user(lost.id).await.unwrap(), None);
    transaction.insert_user(&kept, "hash").await.unwrap();
    transaction.record(&event).await.unwrap();
    assert_eq!(store.find_user(kept.id).await.unwrap(), None);
    transaction.commit().await.unwrap();
    assert_eq!(store.find_user(kept.id).await.unwrap(), Some(kept));
}
