//! Organizations, members and invitations.

use std::time::Duration;

use serde_json::json;

use crate::support::{Server, eventually};

#[tokio::test]
async fn a_team_comes_together_and_apart() {
    let server = Server::start();
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let guest = server.guest();
    let body = json!({ "name": "Analytical Engines" });
    let team = ada.client.post("/v1/organizations", body).await.expect(201);
    let ada = ada.switch(&guest, team["id"].as_str().unwrap()).await;
    let bob = ada.bring_in(&guest, &bob, "viewer").await;

    let place = format!("/v1/organizations/{}", ada.organization);
    let members = ada
        .client
        .get(&format!("{place}/members"))
        .await
        .expect(200);
    let members = members["data"].as_array().unwrap();
    assert_eq!(members.len(), 2);
    assert_eq!(
        (&members[0]["email"], &members[0]["role"]),
        (&json!(bob.email), &json!("viewer"))
    );

    bob.client
        .patch(&place, json!({ "name": "x" }))
        .await
        .problem(403);
    let member = format!("{place}/members/{}", members[0]["id"].as_str().unwrap());
    ada.client
        .patch(&member, json!({ "role": "admin" }))
        .await
        .expect(200);
    bob.client
        .patch(&place, json!({ "name": "Engines" }))
        .await
        .expect(200);

    ada.client.delete(&member).await.expect(204);
    bob.client.get(&place).await.problem(404);
    ada.client.delete(&member).await.problem(404);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let server = Server::start();
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let guest = server.guest();
    let members = format!("/v1/organizations/{}/members", ada.organization);
    let own = ada.client.get(&members).await.expect(200)["data"][0]["id"].clone();
    let own = format!("{members}/{}", own.as_str().unwrap());
    ada.client.delete(&own).await.problem(409);
    ada.client
        .patch(&own, json!({ "role": "admin" }))
        .await
        .problem(409);

    let bob = ada.bring_in(&guest, &bob, "owner").await;
    let all = ada
        .client
        .get(&format!("{members}?sort=created_at"))
        .await
        .expect(200);
    let ids: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].clone())
        .collect();
    let leave = |user: &crate::support::User, id: &serde_json::Value| {
        let (client, path) = (
            user.client.clone(),
            format!("{members}/{}", id.as_str().unwrap()),
        );
        async move { client.delete(&path).await.status }
    };
    let both = futures_util::join!(leave(&ada, &ids[0]), leave(&bob, &ids[1]));
    assert!(matches!(both, (204, 409) | (409, 204)), "{both:?}");
}

#[tokio::test]
async fn an_invitation_is_for_one_address_and_accepted_once() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let (bob, eve) = (server.sign_up("bob").await, server.sign_up("eve").await);
    let path = format!("/v1/organizations/{}/invitations", ada.organization);
    let body = json!({ "email": "BOB@example.com", "role": "member" });
    let invitation = ada.client.post(&path, body).await.expect(201);
    let token = json!({ "token": invitation["token"] });
    let accept = "/v1/invitations/accept";
    eve.client.post(accept, token.clone()).await.problem(403);
    let tries = (0..4).map(|_| bob.client.post(accept, token.clone()));
    let answers = futures_util::future::join_all(tries).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    bob.client.post(accept, token).await.problem(409);
    bob.client
        .post(accept, json!({ "token": "ari_unknown" }))
        .await
        .problem(404);
    let open = ada.client.get(&path).await.expect(200);
    assert_eq!(open["data"], json!([]));

    let body = json!({ "email": eve.email, "role": "member" });
    let invitation = ada.client.post(&path, body).await.expect(201);
    let id = invitation["id"].as_str().unwrap();
    ada.client.delete(&format!("{path}/{id}")).await.expect(204);
    let token = json!({ "token": invitation["token"] });
    eve.client.post(accept, token).await.problem(409);
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let server = Server::start();
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let bob = ada.bring_in(&server.guest(), &bob, "admin").await;
    let path = format!("/v1/organizations/{}/invitations", ada.organization);
    let body = json!({ "email": "x@example.com", "role": "owner" });
    bob.client.post(&path, body).await.problem(403);
}

#[tokio::test]
async fn lists_are_read_in_stable_pages() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    for name in 0..5 {
        let body = json!({ "name": format!("team {name}") });
        ada.client.post("/v1/organizations", body).await.expect(201);
    }
    let mut names = Vec::new();
    let mut path = "/v1/organizations?sort=created_at&limit=2".to_owned();
    loop {
        let page = ada.client.get(&path).await.expect(200);
        for organization in page["data"].as_array().unwrap() {
            names.push(organization["name"].as_str().unwrap().to_owned());
        }
        // What comes meanwhile neither moves nor repeats what was there.
        if names.len() == 2 {
            ada.client
                .post("/v1/organizations", json!({ "name": "new" }))
                .await
                .expect(201);
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/organizations?sort=created_at&limit=2&cursor={cursor}");
    }
    assert_eq!(
        names[1..],
        ["team 0", "team 1", "team 2", "team 3", "team 4", "new"]
    );
    let newest = ada
        .client
        .get("/v1/organizations?limit=1")
        .await
        .expect(200);
    assert_eq!(newest["data"][0]["name"], "new");
    let cursor = newest["next_cursor"].as_str().unwrap();
    let turned = format!("/v1/organizations?sort=created_at&cursor={cursor}");
    ada.client.get(&turned).await.fault("/query/cursor");
}

#[tokio::test]
async fn a_deleted_organization_is_gone_for_everybody() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let guest = server.guest();
    let team = ada
        .client
        .post("/v1/organizations", json!({ "name": "team" }))
        .await
        .expect(201);
    let place = format!("/v1/organizations/{}", team["id"].as_str().unwrap());
    let bob = server.sign_up("bob").await;
    let ada = ada.switch(&guest, team["id"].as_str().unwrap()).await;
    let bob = ada.bring_in(&guest, &bob, "admin").await;
    bob.client.delete(&place).await.problem(403);
    ada.client.delete(&place).await.expect(204);
    ada.client.get(&place).await.problem(404);
    bob.client.get(&place).await.problem(404);
}

#[tokio::test]
async fn the_keys_of_a_member_go_with_them() {
    let server = Server::start();
    let (guest, ada) = (server.guest(), server.sign_up("ada").await);
    let bob = server.sign_up("bob").await;
    let there = ada.bring_in(&guest, &bob, "member").await;
    let body = json!({ "name": "ci", "scopes": ["content:read"] });
    let key = there.client.post("/v1/api-keys", body).await.expect(201);
    let key = guest.bearing(key["token"].as_str().unwrap());
    key.get("/v1/labels").await.expect(200);

    let members = format!("/v1/organizations/{}/members", ada.organization);
    let found = ada.client.get(&members).await.expect(200);
    let found = found["data"].as_array().unwrap();
    let member = found.iter().find(|member| member["role"] == "member");
    let member = format!("{members}/{}", member.unwrap()["id"].as_str().unwrap());
    ada.client.delete(&member).await.expect(204);
    let gone = async || (key.get("/v1/labels").await.status == 401).then_some(());
    eventually(Duration::from_secs(20), gone).await;
    let back = ada.bring_in(&guest, &bob, "member").await;
    key.get("/v1/labels").await.problem(401);
    let keys = back.client.get("/v1/api-keys").await.expect(200);
    assert_eq!(keys["data"], json!([]));
}
