//! What one node changes, the others forget when they hear of it.

use std::time::{Duration, Instant};

use archesai_auth::{
    ApiKeyId, Error, NewApiKey, Registration, Scope, SignedIn, UserChanges, UserId,
};
use archesai_organizations::{Actor, InvitationId, MemberId, NewInvitation, OrganizationId, Role};
use archesai_platform::events::{Changes, Mark};
use tempfile::TempDir;

use super::Forgetting;
use crate::{
    compose::{Infrastructure, Services},
    config::Config,
};

/// Two nodes on one database.
struct Cluster {
    infrastructure: Infrastructure,
    begin: Mark,
    here: Services,
    there: Services,
    _folder: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let config = Config::with(&[("data_dir", data), ("embeddings", "off")]);
        let infrastructure = Infrastructure::open(&config).await.unwrap();
        // What is remembered is believed throughout: only what is heard makes a node forget.
        let freshness = infrastructure.caches.freshness();
        freshness.confirm(Instant::now(), Duration::from_hours(1));
        let begin = infrastructure.database.changes().mark().await.unwrap();
        let node = async || Services::compose(&config, &infrastructure).await.unwrap();
        let (here, there) = (node().await, node().await);
        Self {
            infrastructure,
            begin,
            here,
            there,
            _folder: folder,
        }
    }

    /// Has one node hear of everything so far.
    async fn tell(&self, node: &Services) {
        let forgetting = Forgetting::new(node, &self.infrastructure);
        let mut mark = Some(self.begin.clone());
        forgetting.look(&mut mark).await.unwrap();
    }

    async fn sign_up(&self, number: u128) -> SignedIn {
        let registration = Registration {
            id: UserId(number),
            email: format!("{number}@example.com"),
            name: "Ada".to_owned(),
            password: "long enough".to_owned(),
            user_agent: None,
        };
        self.there.auth.register(registration).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_people() {
    let cluster = Box::pin(Cluster::start()).await;
    let (here, there) = (&cluster.here.auth, &cluster.there.auth);
    let ada = cluster.sign_up(1).await;
    let (user, place) = (ada.user.id, ada.session.active_organization_id);
    let new = NewApiKey {
        id: ApiKeyId(3),
        name: "ci".to_owned(),
        scopes: vec![Scope::ContentRead],
        expires_at: None,
    };
    let (key, token) = there.create_api_key(place, user, new).await.unwrap();

    here.authenticate(&ada.access_token).await.unwrap();
    here.authenticate(&token).await.unwrap();
    here.user(user).await.unwrap();
    let changes = UserChanges {
        name: Some("Zoë".to_owned()),
    };
    there.update_user(user, None, changes).await.unwrap();
    there.delete_api_key(place, user, key.id).await.unwrap();
    there.logout(ada.session.id).await.unwrap();

    cluster.tell(&cluster.here).await;
    assert_eq!(here.user(user).await.unwrap().name, "Zoë");
    for token in [&ada.access_token, &token] {
        let refused = here.authenticate(token).await;
        assert!(matches!(refused, Err(Error::InvalidToken)), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_places() {
    let cluster = Box::pin(Cluster::start()).await;
    let (here, there) = (&cluster.here.organizations, &cluster.there.organizations);
    let (ada, bob) = (cluster.sign_up(1).await, cluster.sign_up(2).await);
    let place = OrganizationId(ada.session.active_organization_id.0);
    let bob = archesai_organizations::UserId(bob.user.id.0);
    let owner = Actor {
        user_id: archesai_organizations::UserId(ada.user.id.0),
        role: Role::Owner,
    };
    let invitation = NewInvitation {
        id: InvitationId(3),
        email: "2@example.com".to_owned(),
        role: Role::Admin,
    };
    let (_, token) = there.invite(owner, place, invitation).await.unwrap();
    let joined = there.accept_invitation(&token, bob, "2@example.com").await;
    let member: MemberId = joined.unwrap().id;
    let role = async || {
        let membership = here.membership(place, bob).await.unwrap();
        membership.map(|member| member.role)
    };

    assert_eq!(role().await, Some(Role::Admin));
    let demoted = there.change_role(owner, place, member, None, Role::Viewer);
    demoted.await.unwrap();
    cluster.tell(&cluster.here).await;
    assert_eq!(role().await, Some(Role::Viewer));
    there.delete(owner.user_id, place).await.unwrap();
    cluster.tell(&cluster.here).await;
    assert_eq!(role().await, None);
}
