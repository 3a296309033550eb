//! What caches promise: what was put is recalled whole, what was removed or has
//! had its time is not, and no cache answers for another.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, UNIX_EPOCH},
};

use archesai_auth::{ApiKey, ApiKeyId, Session, SessionId, User, UserId, ports::TokenDigest};
use archesai_content::{Artifact, ArtifactId, IndexStatus, Json};
use archesai_organizations::{Member, MemberId, Role};
use futures_util::future::join_all;

use crate::{auth, content, fresh};

/// Long beside what a suite takes.
const LONG: Duration = Duration::from_hours(1);

/// The shortest time that every cache can keep something for.
const SHORT: Duration = Duration::from_millis(1);

/// How long something may be there after its time.
const LATE: Duration = Duration::from_secs(5);

macro_rules! cache_suite {
    ($name:ident, $domain:ident) => {
        async fn $name<K: Clone, V: PartialEq + Debug>(
            cache: &impl $domain::Cache<K, V>,
            [key, other]: [K; 2],
            [one, two]: [V; 2],
        ) {
            let get = async |key: &K| cache.get(key).await.unwrap();
            let put = async |value: &V, ttl| cache.put(&key, value, ttl).await.unwrap();
            let remove = async || cache.remove(&key).await.unwrap();

            assert_eq!(get(&key).await, None);
            put(&one, LONG).await;
            assert_eq!(get(&key).await.as_ref(), Some(&one));
            assert_eq!(get(&other).await, None);
            put(&two, LONG).await;
            assert_eq!(get(&key).await.as_ref(), Some(&two));
            remove().await;
            assert_eq!(get(&key).await, None);
            // Removing what is not there is no error, and stands in nobody's way.
            remove().await;
            put(&one, LONG).await;
            assert_eq!(get(&key).await.as_ref(), Some(&one));

            // The time is that of the newest value, whether shorter or longer.
            put(&two, SHORT).await;
            let gone = async {
                while get(&key).await.is_some() {
                    tokio::task::yield_now().await;
                }
            };
            let gone = tokio::time::timeout(LATE, gone).await;
            gone.expect("it is forgotten after its time");
            put(&one, SHORT).await;
            put(&two, LONG).await;
            cache.put(&other, &one, SHORT).await.unwrap();
            let gone = async {
                while get(&other).await.is_some() {
                    tokio::task::yield_now().await;
                }
            };
            let gone = tokio::time::timeout(LATE, gone).await;
            gone.expect("it is forgotten after its time");
            assert_eq!(get(&key).await.as_ref(), Some(&two));

            // A removal that began after a value was put forgets it, whatever else goes on.
            for _ in 0..100 {
                let putting = (0..4).map(|_| put(&one, LONG));
                tokio::join!(join_all(putting), remove());
                let found = get(&key).await;
                assert!(found.is_none_or(|found| found == one));
                remove().await;
                assert_eq!(get(&key).await, None);
            }
        }
    };
}
cache_suite!(auth_suite, archesai_auth);
cache_suite!(organizations_suite, archesai_organizations);
cache_suite!(content_suite, archesai_content);

/// Runs every check on the caches of auth.
pub async fn auth(
    sessions: &impl archesai_auth::Cache<SessionId, Session>,
    api_keys: &impl archesai_auth::Cache<ApiKeyId, (ApiKey, TokenDigest)>,
    users: &impl archesai_auth::Cache<UserId, User>,
) {
    let user = auth::user();
    let session = auth::session(&user);
    let key = (auth::api_key(user.id), [0xff; 32]);

    // The same number names another thing in another cache.
    sessions
        .put(&SessionId(user.id.0), &session, LONG)
        .await
        .unwrap();
    assert_eq!(users.get(&user.id).await.unwrap(), None);
    assert_eq!(api_keys.get(&ApiKeyId(user.id.0)).await.unwrap(), None);

    let other = Session {
        user_agent: None,
        ..session.clone()
    };
    auth_suite(
        sessions,
        [SessionId(fresh()), SessionId(fresh())],
        [session, other],
    )
    .await;
    let other = ApiKey {
        expires_at: None,
        scopes: Vec::new(),
        ..key.0.clone()
    };
    auth_suite(
        api_keys,
        [ApiKeyId(fresh()), ApiKeyId(fresh())],
        [key, (other, [0; 32])],
    )
    .await;
    let other = User {
        name: String::new(),
        version: u64::MAX,
        created_at: UNIX_EPOCH,
        ..user.clone()
    };
    auth_suite(users, [UserId(fresh()), UserId(fresh())], [user, other]).await;
}

/// Runs every check on the caches of organizations.
pub async fn organizations(
    members: &impl archesai_organizations::Cache<
        (
            archesai_organizations::OrganizationId,
            archesai_organizations::UserId,
        ),
        Member,
    >,
) {
    use archesai_organizations::{OrganizationId, UserId};

    let (place, user) = (OrganizationId(fresh()), UserId(fresh()));
    let member = |role| Member {
        id: MemberId(fresh()),
        user_id: user,
        organization_id: place,
        role,
        created_at: UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456),
    };
    let values = || [member(Role::Owner), member(Role::Viewer)];
    // Both parts of the key count.
    let elsewhere = OrganizationId(fresh());
    organizations_suite(members, [(place, user), (elsewhere, user)], values()).await;
    let other = UserId(fresh());
    organizations_suite(members, [(elsewhere, other), (place, other)], values()).await;
}

/// Runs every check on the caches of content.
pub async fn content(
    artifacts: &impl archesai_content::Cache<(archesai_content::OrganizationId, ArtifactId), Artifact>,
) {
    use archesai_content::OrganizationId;

    let (place, elsewhere) = (OrganizationId(fresh()), OrganizationId(fresh()));
    let one = content::artifact(place, "a");
    // What a careless way to write JSON down would change.
    let metadata = [
        ("float", Json::Float(0.1 + 0.2)),
        ("whole float", Json::Float(3.0)),
        ("integer", Json::Integer(i64::MIN)),
        ("text", Json::Text("Zoë \u{0} 🦀".to_owned())),
        ("nothing", Json::Array(vec![Json::Null, Json::Bool(true)])),
    ];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value));
    let two = Artifact {
        metadata: Json::Object(BTreeMap::from(metadata)),
        labels: vec!["b".to_owned(), "c".to_owned()],
        index_status: IndexStatus::Failed,
        index_error: Some("no text".to_owned()),
        created_by: Some(archesai_content::UserId(fresh())),
        size: u64::MAX,
        ..one.clone()
    };
    let keys = [(place, one.id), (elsewhere, one.id)];
    content_suite(artifacts, keys, [one, two]).await;
}
