//! What happens while a use case is halfway: whoever takes access away wins.

use archesai_auth::{
    ApiKeyId, Error, NewApiKey, PasswordChange, Scope, SessionId, SignedIn, User, UserChanges,
    ports::Store,
};
use tokio::join;

use super::{program::Program, whole};
use crate::fresh;

/// Runs every race.
pub async fn suite<S: Store + Clone>(store: &S) {
    let program = Program::new(store.clone());
    a_password_change_beats_a_login(&program).await;
    of_two_password_changes_one_wins(&program).await;
    a_password_change_beats_a_refresh(&program).await;
    an_end_beats_a_refresh(&program).await;
    an_end_beats_a_switch(&program).await;
    of_two_refreshes_one_wins_and_the_session_ends(&program).await;
    what_is_put_late_is_not_believed(&program).await;
    many_take_turns_at_one_user(store).await;
}

fn change(current: &str, new: &str) -> PasswordChange {
    PasswordChange {
        current: current.to_owned(),
        new: new.to_owned(),
    }
}

/// Changes the first password to the second, and ends every session.
async fn change_password<S: Store>(program: &Program<S>, user: &User) {
    let change = change("first password", "second password");
    let changed = program.auth.change_password(user.id, None, change).await;
    changed.unwrap();
}

async fn is_over<S: Store>(program: &Program<S>, signed_in: &SignedIn) {
    let refused = program.auth.authenticate(&signed_in.access_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)), "{refused:?}");
    let refused = program.auth.refresh(&signed_in.refresh_token).await;
    assert!(matches!(refused, Err(Error::InvalidToken)), "{refused:?}");
}

async fn sessions<S: Store>(program: &Program<S>, user: &User) -> Vec<SessionId> {
    let sessions = program.auth.sessions_of(user.id, &whole()).await.unwrap();
    sessions
        .items
        .into_iter()
        .map(|session| session.id)
        .collect()
}

async fn a_password_change_beats_a_login<S: Store>(program: &Program<S>) {
    let user = program.register().await.user;
    let meanwhile = change_password(program, &user);
    let meanwhile = program.gate.hold("verify", meanwhile);
    let (login, ()) = join!(program.login(&user, "first password"), meanwhile);
    assert!(matches!(login, Err(Error::WrongCredentials)), "{login:?}");
    assert_eq!(sessions(program, &user).await, []);
}

async fn of_two_password_changes_one_wins<S: Store>(program: &Program<S>) {
    let user = program.register().await.user;
    let meanwhile = change_password(program, &user);
    let meanwhile = program.gate.hold("verify", meanwhile);
    let late = change("first password", "third password");
    let (late, ()) = join!(program.auth.change_password(user.id, None, late), meanwhile);
    assert!(matches!(late, Err(Error::WrongCredentials)), "{late:?}");
    program.login(&user, "second password").await.unwrap();
}

async fn a_password_change_beats_a_refresh<S: Store>(program: &Program<S>) {
    let signed_in = program.register().await;
    let meanwhile = change_password(program, &signed_in.user);
    let meanwhile = program.gate.hold("role", meanwhile);
    let (refreshed, ()) = join!(program.auth.refresh(&signed_in.refresh_token), meanwhile);
    assert!(matches!(refreshed, Err(Error::InvalidToken)));
    is_over(program, &signed_in).await;
}

async fn an_end_beats_a_refresh<S: Store>(program: &Program<S>) {
    let signed_in = program.register().await;
    let end = program.auth.logout(signed_in.session.id);
    let end = program.gate.hold("role", end);
    let (refreshed, ended) = join!(program.auth.refresh(&signed_in.refresh_token), end);
    ended.unwrap();
    assert!(matches!(refreshed, Err(Error::InvalidToken)));
    is_over(program, &signed_in).await;
}

async fn an_end_beats_a_switch<S: Store>(program: &Program<S>) {
    let signed_in = program.register().await;
    let session = &signed_in.session;
    let end = program.auth.logout(session.id);
    let end = program.gate.hold("role", end);
    let switch = program
        .auth
        .switch_organization(session.id, session.active_organization_id);
    let (switched, ended) = join!(switch, end);
    ended.unwrap();
    assert!(matches!(switched, Err(Error::NotFound)), "{switched:?}");
    is_over(program, &signed_in).await;
}

async fn of_two_refreshes_one_wins_and_the_session_ends<S: Store>(program: &Program<S>) {
    let signed_in = program.register().await;
    let other = program.auth.refresh(&signed_in.refresh_token);
    let other = program.gate.hold("role", other);
    let (late, other) = join!(program.auth.refresh(&signed_in.refresh_token), other);
    assert!(matches!(late, Err(Error::InvalidToken)));
    is_over(program, &other.unwrap()).await;
}

/// Something is read, then changed and forgotten, and only then put into the cache.
async fn what_is_put_late_is_not_believed<S: Store>(program: &Program<S>) {
    let signed_in = program.register().await;
    let (user, session) = (&signed_in.user, &signed_in.session);

    let changes = UserChanges {
        name: Some("Zoé".to_owned()),
    };
    let update = program.auth.update_user(user.id, None, changes);
    let (late, updated) = join!(program.auth.user(user.id), program.gate.hold("put", update));
    updated.unwrap();
    assert_eq!(late.unwrap().name, "Zoé");
    assert_eq!(program.auth.user(user.id).await.unwrap().name, "Zoé");

    let organization = session.active_organization_id;
    let new = NewApiKey {
        id: ApiKeyId(fresh()),
        name: "ci".to_owned(),
        scopes: vec![Scope::ContentRead],
        expires_at: None,
    };
    let made = program
        .auth
        .create_api_key(organization, user.id, new)
        .await;
    let (key, token) = made.unwrap();
    let delete = program.auth.delete_api_key(organization, user.id, key.id);
    let (late, deleted) = join!(
        program.auth.authenticate(&token),
        program.gate.hold("put", delete)
    );
    deleted.unwrap();
    assert!(matches!(late, Err(Error::InvalidToken)), "{late:?}");
    assert!(program.auth.api_keys.lacks(&key.id));

    let end = program.auth.logout(session.id);
    let (late, ended) = join!(
        program.auth.authenticate(&signed_in.access_token),
        program.gate.hold("put", end)
    );
    ended.unwrap();
    assert!(matches!(late, Err(Error::InvalidToken)), "{late:?}");
    assert!(program.auth.sessions.lacks(&session.id));
}

/// Counts in the place of a password hash: nothing is lost while the user is locked.
async fn many_take_turns_at_one_user<S: Store + Clone>(store: &S) {
    use archesai_auth::ports::{Repository, Transaction};

    let user = super::stored_user(store).await;
    store.update_password_hash(user.id, "0").await.unwrap();
    let turns = (0..16).map(async |_| {
        let transaction = store.begin().await.unwrap();
        transaction.lock_user(user.id).await.unwrap();
        let count = transaction.find_password_hash(user.id).await.unwrap();
        let count: u32 = count.unwrap().parse().unwrap();
        let next = (count + 1).to_string();
        transaction
            .update_password_hash(user.id, &next)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    });
    futures_util::future::join_all(turns).await;
    let count = store.find_password_hash(user.id).await.unwrap();
    assert_eq!(count.as_deref(), Some("16"));
}
