//! What an organization did, counted from the event log: each thing once, whoever counts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    pipelines::{ended, pipeline, start},
    support::{Backends, Client, Server, User, eventually, succeed},
};

/// How soon what happened is counted.
const COUNTED: Duration = Duration::from_secs(20);

/// Everything that is counted.
const FIGURES: [&str; 9] = [
    "runs_started",
    "runs_succeeded",
    "runs_failed",
    "runs_cancelled",
    "steps_finished",
    "artifacts_created",
    "artifacts_deleted",
    "bytes_stored",
    "bytes_freed",
];

fn path(user: &User) -> String {
    format!("/v1/organizations/{}/usage", user.organization)
}

/// The figures of an organization; the days make the sum.
async fn figures(client: &Client, user: &User) -> Value {
    let usage = client.get(&path(user)).await.expect(200);
    let days = usage["days"].as_array().unwrap();
    for figure in FIGURES {
        let of_days = days
            .iter()
            .map(|day| day["figures"][figure].as_i64().unwrap());
        assert_eq!(usage["total"][figure], of_days.sum::<i64>(), "{usage}");
    }
    usage["total"].clone()
}

/// Figures of which only some are not 0.
fn only(some: &[(&str, usize)]) -> Value {
    let mut figures = json!({});
    for figure in FIGURES {
        figures[figure] = json!(0);
    }
    for (figure, much) in some {
        figures[*figure] = json!(much);
    }
    figures
}

/// Stores a text, and answers its path.
async fn store(client: &Client, text: &str) -> String {
    let body = json!({ "name": "a.txt", "content": text });
    let artifact = client.post("/v1/artifacts", body).await.expect(201);
    format!("/v1/artifacts/{}", artifact["id"].as_str().unwrap())
}

/// The figures once everything is counted that was done so far. So it is when that is which is done
/// last: storing an artifact without a byte, after so many others.
async fn all_figures(client: &Client, user: &User, stored: usize) -> Value {
    store(client, "").await;
    let all = async || {
        let figures = figures(client, user).await;
        let is_counted = figures["artifacts_created"].as_u64().unwrap() > stored as u64;
        is_counted.then_some(figures)
    };
    eventually(COUNTED, all).await
}

/// A pipeline of two steps, of which this is the second.
async fn ending_in(client: &Client, tool: &str, with: Value) -> String {
    let steps = json!([
        { "id": "first", "tool": "text.split", "with": { "text": "a" } },
        { "id": "last", "tool": tool, "needs": ["first"], "with": with },
    ]);
    pipeline(client, json!({ "steps": steps })).await
}

/// Does something of everything, and answers what that should come to.
async fn work(client: &Client) -> Value {
    store(client, "seven..").await;
    let gone = store(client, "four").await;
    client.delete(&gone).await.expect(204);
    let good = ending_in(client, "text.split", json!({ "text": "b" })).await;
    let nothing = json!({ "artifact_id": "01890a5d-ac96-774b-bcce-b302099a8057" });
    let bad = ending_in(client, "text.extract", nothing).await;
    let long = ending_in(client, "time.sleep", json!({ "seconds": 600 })).await;
    for (pipeline, outcome) in [(&good, "succeeded"), (&good, "succeeded"), (&bad, "failed")] {
        let run = start(client, pipeline, json!({})).await;
        assert_eq!(ended(client, &run).await["status"], outcome);
    }
    let run = start(client, &long, json!({})).await;
    let waits = async || (client.get(&run).await.json()["status"] == "waiting").then_some(());
    eventually(Duration::from_secs(20), waits).await;
    let cancelled = client.post(&format!("{run}/cancel"), json!({})).await;
    assert!(cancelled.status < 300, "{cancelled:?}");
    only(&[
        ("runs_started", 4),
        ("runs_succeeded", 2),
        ("runs_failed", 1),
        ("runs_cancelled", 1),
        ("steps_finished", 7),
        ("artifacts_created", 3),
        ("artifacts_deleted", 1),
        ("bytes_stored", 11),
        ("bytes_freed", 4),
    ])
}

/// Makes usage anew from the log.
fn replay(server: &Server) -> String {
    succeed(server.command(&["events", "replay", "usage"]))
}

#[tokio::test]
async fn what_was_done_is_counted_and_the_same_when_counted_anew() {
    let server = Server::start();
    let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
    let expected = work(&ada.client).await;
    assert_eq!(all_figures(&ada.client, &ada, 2).await, expected);
    assert_eq!(figures(&bob.client, &bob).await, only(&[]));

    let said = replay(&server);
    assert!(said.starts_with("usage is made anew from "), "{said}");
    assert_eq!(figures(&ada.client, &ada).await, expected);
    // It goes on from there.
    let mut more = expected;
    more["artifacts_created"] = json!(4);
    assert_eq!(all_figures(&ada.client, &ada, 3).await, more);
    replay(&server);
    assert_eq!(figures(&ada.client, &ada).await, more);
}

#[tokio::test]
async fn what_an_organization_did_goes_with_it() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    all_figures(&ada.client, &ada, 0).await;
    let place = format!("/v1/organizations/{}", ada.organization);
    ada.client.delete(&place).await.expect(204);
    let bob = server.sign_up("bob").await;
    // What is left of it is erased, and counted for nobody.
    all_figures(&bob.client, &bob, 0).await;
    replay(&server);
    assert_eq!(
        figures(&bob.client, &bob).await,
        only(&[("artifacts_created", 1)])
    );
}

#[tokio::test]
async fn days_are_asked_for_as_dates() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let ask = async |query: &str| {
        let path = format!("{}?{query}", path(&ada));
        ada.client.get(&path).await
    };
    let span = async |query: &str| {
        let usage = ask(query).await.expect(200);
        assert_eq!((&usage["days"], &usage["total"]), (&json!([]), &only(&[])));
        let text = |name: &str| usage[name].as_str().unwrap().to_owned();
        (text("from"), text("to"))
    };
    let of = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(span("to=2026-01-31").await, of("2026-01-02", "2026-01-31"));
    let leap = "from=2024-01-01&to=2024-12-31";
    assert_eq!(span(leap).await, of("2024-01-01", "2024-12-31"));
    let today = span("").await.1;
    assert_eq!(span(&format!("from={today}")).await, (today.clone(), today));
    for (query, pointer) in [
        ("from=2026-02-30", "/query/from"),
        ("to=2026-1-5", "/query/to"),
        ("to=yesterday", "/query/to"),
        ("from=2026-02-02&to=2026-02-01", "/query/from"),
        ("from=2025-01-01&to=2026-01-02", "/query/from"),
        ("from=9999-12-31", "/query/from"),
    ] {
        ask(query).await.fault(pointer);
    }
    ask("since=2026-01-01").await.problem(422);
}

#[tokio::test]
async fn read_models_that_there_are_not_are_refused_with_those_there_are() {
    let server = Server::start();
    let refused = server
        .command(&["events", "replay", "nonsense"])
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success(), "{said}");
    assert!(
        said.contains("nonsense") && said.contains("usage"),
        "{said}"
    );
}

/// How many steps a run of [`many`] finishes: the items, the step they are of, and the one after it.
const MANY: usize = 152;

/// A pipeline of many small steps.
async fn many(client: &Client) -> String {
    let items: Vec<usize> = (0..MANY - 2).collect();
    let steps = json!([
        { "id": "many", "tool": "text.split", "for_each": items, "with": { "text": "a" } },
        { "id": "last", "tool": "text.split", "needs": ["many"], "with": { "text": "a" } },
    ]);
    pipeline(client, json!({ "steps": steps })).await
}

/// Several nodes count at once, and usage is made anew meanwhile: each thing counts once.
#[tokio::test]
async fn many_nodes_count_everything_once() {
    let nodes = Server::at_once(3, Backends::named("postgres,s3"));
    let ada = nodes[0].sign_up("ada").await;
    let pipeline = many(&ada.client).await;
    let mut runs = Vec::new();
    for node in &nodes {
        let client = ada.client.at(&node.url);
        runs.push(start(&client, &pipeline, json!({})).await);
        store(&client, "five.").await;
    }
    for run in &runs {
        replay(&nodes[0]);
        assert_eq!(ended(&ada.client, run).await["status"], "succeeded");
    }
    let expected = only(&[
        ("runs_started", 3),
        ("runs_succeeded", 3),
        ("steps_finished", 3 * MANY),
        ("artifacts_created", 4),
        ("bytes_stored", 15),
    ]);
    assert_eq!(all_figures(&ada.client, &ada, 3).await, expected);
    replay(&nodes[1]);
    assert_eq!(figures(&ada.client, &ada).await, expected);
}

/// However often it is killed while it counts, each thing counts once.
#[tokio::test]
async fn kill_9_makes_nothing_count_twice_or_not_at_all() {
    let mut server = Server::with(&[("EMBEDDINGS", "off"), ("STEP_LEASE", "1s")]);
    let ada = server.sign_up("ada").await;
    let pipeline = many(&ada.client).await;
    let mut run = String::new();
    for round in 1..=3_usize {
        let client = ada.client.at(&server.url);
        run = start(&client, &pipeline, json!({})).await;
        // The projector looks once a second: at each round the kill comes at another moment of it.
        let some = async || {
            let done = figures(&client, &ada).await["steps_finished"]
                .as_u64()
                .unwrap();
            (done > (round as u64 - 1) * 75).then_some(())
        };
        eventually(COUNTED, some).await;
        server.kill();
        server.restart();
    }
    let client = ada.client.at(&server.url);
    ended(&client, &run).await;
    let all_ended = async || {
        let figures = figures(&client, &ada).await;
        (figures["runs_succeeded"] == 3).then_some(())
    };
    eventually(Duration::from_mins(1), all_ended).await;
    let expected = only(&[
        ("runs_started", 3),
        ("runs_succeeded", 3),
        ("steps_finished", 3 * MANY),
        ("artifacts_created", 1),
    ]);
    assert_eq!(all_figures(&client, &ada, 0).await, expected);
    replay(&server);
    assert_eq!(figures(&client, &ada).await, expected);
}
