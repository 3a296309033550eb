//! Lists: every one of the contract, in every order it has, page by page.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    contract::operations,
    pipelines::{ended, pipeline, start},
    support::{Client, PASSWORD, Server},
};

/// How many things each list has, at least.
const MANY: usize = 5;

/// A list of the contract: its operation, its path, and the orders it can be read in.
struct List {
    operation: String,
    path: String,
    orders: Vec<String>,
    /// The order where nobody asks for one.
    usual: Option<String>,
}

/// Every list that is read in pages. `places` says what goes in for `{id}`.
async fn lists(server: &Server, places: &Places) -> Vec<List> {
    let contract = server.guest().get("/openapi.json").await.expect(200);
    let resolve = |value: &Value| match value["$ref"].as_str() {
        Some(path) => contract.pointer(&path[1..]).unwrap().clone(),
        None => value.clone(),
    };
    let mut lists = Vec::new();
    for (method, template, operation) in operations(server).await {
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none);
        let parameters: Vec<Value> = parameters.iter().map(resolve).collect();
        let find = |name: &str| parameters.iter().find(|one| one["name"] == name);
        if method != Method::GET || find("cursor").is_none() {
            continue;
        }
        let usual = find("sort").map(|sort| sort["schema"]["default"].as_str().unwrap().to_owned());
        let orders = find("sort").map(|sort| resolve(&sort["schema"])["enum"].clone());
        let orders = orders.map(|orders| serde_json::from_value(orders).unwrap());
        let of_organization = template.starts_with("/v1/organizations/");
        let place = if of_organization {
            &places.organization
        } else {
            &places.run
        };
        lists.push(List {
            operation: operation["operationId"].as_str().unwrap().to_owned(),
            path: template.replace("{id}", place),
            orders: orders.unwrap_or_default(),
            usual,
        });
    }
    lists
}

/// What the paths of lists are about.
struct Places {
    organization: String,
    run: String,
}

/// Adds something to a list, if a client can.
async fn add(server: &Server, client: &Client, list: &str, name: &str) {
    let body = match list.rsplit('/').next().unwrap() {
        "artifacts" => json!({ "name": name, "content": name }),
        "labels" | "organizations" => json!({ "name": name }),
        "invitations" => json!({ "email": format!("{name}@example.com"), "role": "viewer" }),
        "pipelines" => {
            json!({ "name": name, "definition": { "steps": [
            { "id": "a", "tool": "time.sleep", "with": { "seconds": 0 } },
        ] } })
        }
        "members" => return join(server, client, list, name).await,
        "sessions" => {
            let me = client.get("/v1/users/me").await.expect(200);
            let body = json!({ "email": me["email"], "password": PASSWORD });
            server
                .guest()
                .post("/v1/auth/login", body)
                .await
                .expect(200);
            return;
        }
        "api-keys" => json!({ "name": name, "scopes": ["content:read"] }),
        "runs" => {
            let pipelines = client.get("/v1/pipelines?limit=1").await.expect(200);
            let id = pipelines["data"][0]["id"].as_str().unwrap();
            start(client, &format!("/v1/pipelines/{id}"), json!({})).await;
            return;
        }
        // Steps and log lines are a run's to add.
        "steps" | "logs" => return,
        other => panic!("a list of {other}: say here how it grows"),
    };
    client.post(list, body).await.expect(201);
}

/// Lets somebody new join an organization.
async fn join(server: &Server, client: &Client, members: &str, name: &str) {
    let somebody = server.sign_up(name).await;
    let body = json!({ "email": somebody.email, "role": "viewer" });
    let invitations = members.replace("/members", "/invitations");
    let invitation = client.post(&invitations, body).await.expect(201);
    let body = json!({ "token": invitation["token"] });
    let accepted = somebody.client.post("/v1/invitations/accept", body).await;
    accepted.expect(200);
}

/// What tells one thing of a list from another; a log line has no name of its own.
fn key(item: &Value) -> String {
    ["id", "run_step_id", "at", "message"]
        .map(|name| item[name].to_string())
        .join(" ")
}

fn keys(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(key).collect()
}

fn query(list: &List, order: Option<&str>, rest: &str) -> String {
    let sort = order.map(|order| format!("&sort={order}"));
    format!("{}?{rest}{}", list.path, sort.unwrap_or_default())
}

/// Reads a list from its beginning to its end in pages of a size; `between`
/// happens after the first page.
async fn walk(
    client: &Client,
    list: &List,
    order: Option<&str>,
    size: usize,
    between: impl AsyncFnOnce(),
) -> Vec<Value> {
    let first = query(list, order, &format!("limit={size}"));
    let mut page = client.get(&first).await.expect(200);
    between().await;
    let mut items = Vec::new();
    loop {
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= size, "{}: {page}", list.operation);
        items.extend(data.iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else {
            return items;
        };
        let next = query(list, order, &format!("limit={size}&cursor={cursor}"));
        page = client.get(&next).await.expect(200);
        assert!(items.len() < 1000, "{}: it has no end", list.operation);
    }
}

/// Insists that items are in the order asked for.
fn in_order(items: &[Value], order: &str) {
    let (name, descending) = match order.strip_prefix('-') {
        Some(name) => (name, true),
        None => (order, false),
    };
    let value = |item: &Value| item[name].as_str().map(ToOwned::to_owned);
    for pair in items.windows(2) {
        let (one, other) = (value(&pair[0]), value(&pair[1]));
        let sorted = if descending {
            one >= other
        } else {
            one <= other
        };
        // A thing that does not show what it is sorted by can only be walked.
        assert!(one.is_none() || sorted, "{order}: {one:?}, then {other:?}");
    }
}

/// A server with many of everything that there are lists of.
async fn furnished() -> (Server, Client, Places) {
    let server = Server::with(&[
        ("EMBEDDINGS", "off"),
        ("GUEST_REQUESTS_PER_MINUTE", "100000"),
    ]);
    let ada = server.sign_up("ada").await;
    let steps: Vec<_> = (0..MANY)
        .map(
            |at| json!({ "id": format!("s{at}"), "tool": "text.split", "with": { "text": "a b" } }),
        )
        .collect();
    let path = pipeline(&ada.client, json!({ "steps": steps })).await;
    let run = start(&ada.client, &path, json!({})).await;
    ended(&ada.client, &run).await;
    let places = Places {
        organization: ada.organization.clone(),
        run: run.rsplit('/').next().unwrap().to_owned(),
    };
    for list in lists(&server, &places).await {
        for at in 0..MANY {
            let name = format!("{}{at}", list.operation.replace('_', "-"));
            add(&server, &ada.client, &list.path, &name).await;
        }
    }
    (server, ada.client, places)
}

#[tokio::test]
async fn every_list_is_read_whole_at_any_page_size_and_in_any_order() {
    let (server, client, places) = furnished().await;
    let lists = lists(&server, &places).await;
    assert!(lists.len() >= 11, "{}", lists.len());
    for list in &lists {
        let orders = list.orders.iter().map(|order| Some(order.as_str()));
        for order in orders.chain([None]) {
            let path = query(list, order, "limit=100");
            let whole = client.get(&path).await.expect(200);
            let expected = keys(&whole);
            let distinct: BTreeSet<_> = expected.iter().collect();
            assert_eq!(distinct.len(), expected.len(), "{path}");
            assert!(expected.len() >= MANY, "{path}: {whole}");
            assert_eq!(whole["next_cursor"], Value::Null, "{path}");
            for size in 1..=3 {
                let items = walk(&client, list, order, size, async || {}).await;
                let walked: Vec<_> = items.iter().map(key).collect();
                assert_eq!(walked, expected, "{path} in pages of {size}");
                let order = order.or(list.usual.as_deref());
                in_order(&items, order.unwrap_or("nothing in particular"));
            }
        }
    }
}

#[tokio::test]
async fn what_comes_meanwhile_neither_moves_nor_repeats_what_was_there() {
    let (server, client, places) = furnished().await;
    for list in lists(&server, &places).await {
        let orders = list.orders.iter().map(|order| Some(order.as_str()));
        for (at, order) in orders.chain([None]).enumerate() {
            let before = client.get(&query(&list, order, "limit=100")).await;
            let before = keys(&before.expect(200));
            let between = async || {
                // Names that sort before and after those that are there.
                for name in [format!("a-{at}"), format!("zz-{at}")] {
                    let name = format!("{name}{}", list.operation.replace('_', "-"));
                    add(&server, &client, &list.path, &name).await;
                }
            };
            let items = walk(&client, &list, order, 2, between).await;
            let walked: Vec<_> = items.iter().map(key).collect();
            let distinct: BTreeSet<_> = walked.iter().collect();
            let place = format!("{} by {order:?}", list.operation);
            assert_eq!(distinct.len(), walked.len(), "{place}");
            let of_before = walked.into_iter().filter(|key| before.contains(key));
            assert_eq!(of_before.collect::<Vec<_>>(), before, "{place}");
        }
    }
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_or_is_of_another_list_is_refused() {
    let (server, client, places) = furnished().await;
    let lists = lists(&server, &places).await;
    let mut cursors = Vec::new();
    for list in &lists {
        let page = client.get(&query(list, None, "limit=1")).await.expect(200);
        cursors.push(page["next_cursor"].as_str().unwrap().to_owned());
    }
    for (at, list) in lists.iter().enumerate() {
        let with = async |cursor: &str| {
            let path = query(list, None, &format!("limit=1&cursor={cursor}"));
            client.get(&path).await
        };
        for (other, cursor) in cursors.iter().enumerate() {
            let answer = with(cursor).await;
            if other == at {
                answer.expect(200);
            } else {
                let (list, of) = (&list.operation, &lists[other].operation);
                assert_eq!(answer.status, 422, "{list} with the cursor of {of}");
                answer.fault("/query/cursor");
            }
        }
        let own = &cursors[at];
        for end in 0..own.len() {
            with(&own[..end]).await.problem(422);
        }
        let turned: String = own.chars().rev().collect();
        with(&turned).await.fault("/query/cursor");
        with("%00%FF").await.problem(422);
        with(&"A".repeat(2001)).await.fault("/query/cursor");
    }
    // Another order is another list.
    for list in lists.iter().filter(|list| list.orders.len() > 1) {
        let page = client
            .get(&query(list, Some(&list.orders[0]), "limit=1"))
            .await
            .expect(200);
        let cursor = page["next_cursor"].as_str().unwrap();
        let path = query(list, Some(&list.orders[1]), &format!("cursor={cursor}"));
        client.get(&path).await.fault("/query/cursor");
    }
}

/// A cursor as this API gives them, with another key in it.
fn forged(cursor: &str, key: &Value) -> String {
    let token = URL_SAFE_NO_PAD.decode(cursor).unwrap();
    let token = String::from_utf8(token).unwrap();
    // Its id is a number larger than JSON values hold here.
    let (before, rest) = token.split_once("\"key\":").unwrap();
    let (_, after) = rest.split_once(",\"id\":").unwrap();
    URL_SAFE_NO_PAD.encode(format!("{before}\"key\":{key},\"id\":{after}"))
}

#[tokio::test]
async fn a_cursor_that_was_forged_is_refused() {
    let (server, client, places) = furnished().await;
    let at =
        |seconds: u64| json!({ "time": { "secs_since_epoch": seconds, "nanos_since_epoch": 0 } });
    let keys = [
        at(1 << 40),
        at(1 << 62),
        at(u64::MAX),
        json!({ "text": "a\u{0}b" }),
    ];
    for list in lists(&server, &places).await {
        for order in &list.orders {
            let first = client.get(&query(&list, Some(order), "limit=1")).await;
            let cursor = first.expect(200)["next_cursor"].clone();
            let cursor = cursor.as_str().unwrap();
            let with = async |key: &Value| {
                let rest = format!("cursor={}", forged(cursor, key));
                client.get(&query(&list, Some(order), &rest)).await
            };
            for key in &keys {
                with(key).await.fault("/query/cursor");
            }
            // A key of the other kind would have the list begin anew.
            let (of_text, of_time) = (json!({ "text": "a" }), at(1_700_000_000));
            let (fits, other) = match order.trim_start_matches('-') {
                "name" => (of_text, of_time),
                _ => (of_time, of_text),
            };
            with(&fits).await.expect(200);
            with(&other).await.fault("/query/cursor");
        }
    }
}

/// The names of what a filtered list has, in order.
async fn names(client: &Client, path: &str) -> Vec<String> {
    let page = client.get(path).await.expect(200);
    let mut names: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn artifacts_are_found_by_every_filter() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let client = &ada.client;
    for (name, labels, team, year) in [
        ("Annual Report.txt", json!(["law", "2024"]), "legal", 2024),
        ("report.md", json!(["law"]), "legal", 2025),
        ("notes.txt", json!([]), "sales", 2025),
    ] {
        let body = json!({
            "name": name, "content": name, "labels": labels,
            "metadata": { "team": team, "year": year, "nested": { "a": [1, null] } },
        });
        client.post("/v1/artifacts", body).await.expect(201);
    }
    let both = ["Annual Report.txt", "report.md"];
    let find = async |filter: &str| names(client, &format!("/v1/artifacts?{filter}")).await;
    assert_eq!(find("filter[label]=law").await, both);
    assert_eq!(find("filter[label]=law,2024").await, both[..1]);
    assert_eq!(find("filter[label]=[\"law\",\"2024\"]").await, both[..1]);
    assert!(find("filter[label]=nobody").await.is_empty());
    assert_eq!(find("filter[name]=REPORT").await, both);
    // What means something to a search for patterns means nothing here.
    assert!(find("filter[name]=%25").await.is_empty());
    assert!(find("filter[name]=r_port").await.is_empty());
    assert_eq!(find("filter[metadata]={\"team\":\"legal\"}").await, both);
    let precise = "filter[metadata]={\"team\":\"legal\",\"year\":2025}";
    assert_eq!(find(precise).await, both[1..]);
    assert!(
        find("filter[metadata]={\"year\":\"2025\"}")
            .await
            .is_empty()
    );
    let deep = find("filter[metadata]={\"nested\":{\"a\":[1,null]}}").await;
    assert_eq!(deep.len(), 3);
    let combined = "filter[label]=law&filter[name]=annual&filter[metadata]={\"year\":2024}";
    assert_eq!(find(combined).await, both[..1]);
    assert_eq!(find("filter[media_type]=text/markdown").await, both[1..]);
    // A filter goes on through the pages.
    let page = client
        .get("/v1/artifacts?filter[label]=law&sort=created_at&limit=1")
        .await
        .expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = find(&format!(
        "filter[label]=law&sort=created_at&limit=1&cursor={cursor}"
    ))
    .await;
    assert_eq!(rest, both[1..]);

    for (filter, value) in [
        ("metadata", "{"),
        ("metadata", "[]"),
        ("label", "[1]"),
        ("index_status", "whatever"),
        ("colour", "red"),
    ] {
        let path = format!("/v1/artifacts?filter[{filter}]={value}");
        client
            .get(&path)
            .await
            .fault(&format!("/query/filter[{filter}]"));
    }
}

#[tokio::test]
async fn runs_and_their_logs_are_found_by_every_filter() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let client = &ada.client;
    let sleep = |seconds: u32| {
        json!({ "steps": [
            { "id": "wait", "tool": "time.sleep", "with": { "seconds": seconds } },
        ] })
    };
    let (short, long) = (
        pipeline(client, sleep(0)).await,
        pipeline(client, sleep(3600)).await,
    );
    let done = start(client, &short, json!({})).await;
    ended(client, &done).await;
    let cancelled = start(client, &long, json!({})).await;
    client
        .post(&format!("{cancelled}/cancel"), json!({}))
        .await
        .expect(200);
    ended(client, &cancelled).await;
    let find = async |filter: &str| {
        let page = client.get(&format!("/v1/runs?{filter}")).await.expect(200);
        let data = page["data"].as_array().unwrap().clone();
        let ids = data
            .iter()
            .map(|run| format!("/v1/runs/{}", run["id"].as_str().unwrap()));
        ids.collect::<Vec<_>>()
    };
    let both = [done, cancelled];
    assert_eq!(find("sort=created_at").await, both);
    assert_eq!(find("filter[status]=succeeded").await, both[..1]);
    assert_eq!(find("filter[status]=cancelled").await, both[1..]);
    assert!(find("filter[status]=queued").await.is_empty());
    let of = |pipeline: &str| {
        format!(
            "filter[pipeline_id]={}",
            pipeline.rsplit('/').next().unwrap()
        )
    };
    assert_eq!(find(&of(&long)).await, both[1..]);
    let neither = format!("{}&filter[status]=failed", of(&long));
    assert!(find(&neither).await.is_empty());
    for (filter, value) in [("status", "gone"), ("pipeline_id", "12")] {
        let path = format!("/v1/runs?filter[{filter}]={value}");
        client
            .get(&path)
            .await
            .fault(&format!("/query/filter[{filter}]"));
    }

    let steps = json!({ "steps": [
        { "id": "one", "tool": "text.split", "with": { "text": "a b" } },
        { "id": "two", "tool": "text.split", "with": { "text": "a b" } },
    ] });
    let run = start(client, &pipeline(client, steps).await, json!({})).await;
    ended(client, &run).await;
    let steps = client.get(&format!("{run}/steps")).await.expect(200);
    let all = client.get(&format!("{run}/logs")).await.expect(200);
    for step in steps["data"].as_array().unwrap() {
        let id = step["run_step_id"].as_str().unwrap();
        let path = format!("{run}/logs?filter[run_step_id]={id}");
        let lines = client.get(&path).await.expect(200);
        let own = all["data"].as_array().unwrap().iter();
        let own: Vec<_> = own.filter(|line| line["run_step_id"] == id).collect();
        assert!(!own.is_empty());
        assert_eq!(
            lines["data"].as_array().unwrap().iter().collect::<Vec<_>>(),
            own
        );
    }
}
