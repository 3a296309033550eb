//! The event log as an audit trail: whatever is done to it behind the server's back is found.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::support::{Backends, Client, Owner, Server, eventually, succeed};

/// How long events may take to be published, and chores to be done.
const SOON: Duration = Duration::from_secs(20);

/// How long a chain is before something is done to it, at least.
const EVENTS: usize = 5;

/// A server, and somebody who has its database but no key.
struct Log {
    server: Server,
    client: Client,
    owner: Owner,
}

/// An organization and the ids of its events, in their order.
struct Chain {
    id: String,
    events: Vec<String>,
}

impl Log {
    async fn start(backends: &str) -> Self {
        let backends = Backends::named(backends);
        let server = Server::part("serve", backends, &[("EMBEDDINGS", "off")]);
        Self {
            client: server.sign_up("ada").await.client,
            owner: server.owner(),
            server,
        }
    }

    /// An organization of which enough is told.
    async fn organization(&self) -> String {
        let body = json!({ "name": "somebody" });
        let organization = self.client.post("/v1/organizations", body).await;
        let id = organization.expect(201)["id"].as_str().unwrap().to_owned();
        for _ in 0..EVENTS {
            self.rename(&id).await;
        }
        id
    }

    /// Lets something more be told of an organization.
    async fn rename(&self, id: &str) {
        let body = json!({ "name": Uuid::now_v7().to_string() });
        let client = self.client.at(&self.server.url);
        let path = format!("/v1/organizations/{id}");
        client.patch(&path, body).await.expect(200);
    }

    /// Waits until all is published, and so chained.
    async fn chained(&self) {
        let pending = "SELECT count(*) || '' AS text FROM events WHERE published_at IS NULL";
        eventually(SOON, async || {
            (self.owner.ask(pending).await == ["0"]).then_some(())
        })
        .await;
    }

    async fn chain(&self, id: String) -> Chain {
        let sql = format!(
            "SELECT {} FROM events WHERE organization_id = {} ORDER BY position",
            self.owner.text("id"),
            self.owner.id(&id)
        );
        let events = self.owner.ask(&sql).await;
        let events = events.iter().map(|id| Uuid::parse_str(id).unwrap());
        Chain {
            events: events.map(|id| id.to_string()).collect(),
            id,
        }
    }

    /// So many organizations with their chains.
    async fn chains(&self, count: usize) -> Vec<Chain> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.organization().await);
        }
        self.chained().await;
        let mut chains = Vec::new();
        for id in ids {
            chains.push(self.chain(id).await);
        }
        chains
    }

    /// Runs SQL as the owner, with `$O` for an organization.
    async fn tamper(&self, id: &str, sql: &str) {
        self.owner.run(&sql.replace("$O", &self.owner.id(id))).await;
    }

    /// Switches off what keeps the log as it is.
    async fn disarm(&self) {
        let sql = match self.owner {
            Owner::Sqlite(_) => "DROP TRIGGER events_append_only; DROP TRIGGER events_stay",
            Owner::Postgres(_) => {
                "DROP TRIGGER events_append_only ON events; \
                 DROP TRIGGER events_stay_in_place ON events"
            }
        };
        self.owner.run(sql).await;
    }

    /// What the check prints. It ends well exactly if nothing is broken.
    fn verify(&self, heads: &[&str]) -> String {
        let mut arguments = vec!["audit", "verify"];
        for head in heads {
            arguments.extend(["--head", head]);
        }
        let mut command = self.server.command(&arguments);
        let output = command.output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let is_broken = said.contains("BROKEN");
        assert_eq!(
            output.status.code(),
            Some(i32::from(is_broken)),
            "{said}{complaint}"
        );
        assert_eq!(complaint.contains("do not hold"), is_broken, "{complaint}");
        said
    }
}

/// What is said of an organization.
fn said_of<'a>(said: &'a str, id: &str) -> Vec<&'a str> {
    let of = format!("organization {id}: ");
    said.lines()
        .filter_map(|line| line.strip_prefix(&of))
        .collect()
}

/// The head of a chain that holds.
fn head_of(said: &str, id: &str) -> String {
    let [line] = said_of(said, id)[..] else {
        panic!("{said}");
    };
    assert!(line.starts_with("holds, "), "{line}");
    line.rsplit(' ').next().unwrap().to_owned()
}

/// Ways to tamper with a chain, and what is to be said of it: `$1` to `$9` are the events at these
/// positions, `$N` is the last position, `$E` the event there.
const TAMPERINGS: [(&str, &str, &str); 12] = [
    (
        "a changed text",
        "UPDATE events SET payload = '{\"type\":\"forged\"}' WHERE organization_id = $O AND position = 3",
        "BROKEN at position 3, event $3: it is not the event that was recorded there",
    ),
    (
        "another actor",
        "UPDATE events SET actor_id = NULL WHERE organization_id = $O AND position = 2",
        "BROKEN at position 2, event $2: it is not the event that was recorded there",
    ),
    (
        "one removed from the middle",
        "DELETE FROM events WHERE organization_id = $O AND position = 3",
        "BROKEN at position 4, event $4: one or more events before it are missing",
    ),
    (
        "one removed from the middle, the rest moved up",
        "DELETE FROM events WHERE organization_id = $O AND position = 3; \
         UPDATE events SET position = position - 1 WHERE organization_id = $O AND position > 3",
        "BROKEN at position 3, event $4: it is not the event that was recorded there",
    ),
    (
        "one removed from the end",
        "DELETE FROM events WHERE organization_id = $O AND position = \
         (SELECT position FROM chains WHERE organization_id = $O)",
        "BROKEN at position $N: the events from there on are missing",
    ),
    (
        "one removed from the end, the head set back",
        "DELETE FROM events WHERE organization_id = $O AND position = \
         (SELECT position FROM chains WHERE organization_id = $O); \
         UPDATE chains SET position = position - 1, mac = (SELECT e.mac FROM events AS e \
         WHERE e.organization_id = $O ORDER BY e.position DESC LIMIT 1) WHERE organization_id = $O",
        "BROKEN at position $M: the ends of the chain are not where they were set",
    ),
    (
        "one removed from the beginning, the base set forward",
        "UPDATE chains SET base_position = 1, base_mac = (SELECT e.mac FROM events AS e \
         WHERE e.organization_id = $O AND e.position = 1) WHERE organization_id = $O; \
         DELETE FROM events WHERE organization_id = $O AND position = 1",
        "BROKEN at position $N: the ends of the chain are not where they were set",
    ),
    (
        "two that changed places",
        "UPDATE events SET position = 5 - position WHERE organization_id = $O AND position IN (2, 3)",
        "BROKEN at position 2, event $3: it is not the event that was recorded there",
    ),
    (
        "one put where another is",
        "INSERT INTO events (id, organization_id, aggregate_kind, aggregate_id, kind, payload, \
         occurred_at, published_at, position, mac) SELECT $F, organization_id, aggregate_kind, \
         aggregate_id, kind, payload, occurred_at, published_at, position, mac FROM events \
         WHERE organization_id = $O AND position = 4",
        "BROKEN at position 4, event $F: it was put where another event is or was",
    ),
    (
        "one put behind the end",
        "INSERT INTO events (id, organization_id, aggregate_kind, aggregate_id, kind, payload, \
         occurred_at, published_at, position, mac) SELECT $F, organization_id, aggregate_kind, \
         aggregate_id, kind, payload, occurred_at, published_at, position + 1, mac FROM events \
         WHERE organization_id = $O ORDER BY position DESC LIMIT 1",
        "BROKEN at position $P, event $F: it was put behind the end of the chain",
    ),
    (
        "one that is in no chain",
        "INSERT INTO events (id, organization_id, aggregate_kind, aggregate_id, kind, payload, \
         occurred_at, published_at) SELECT $F, organization_id, aggregate_kind, aggregate_id, \
         kind, payload, occurred_at, published_at FROM events \
         WHERE organization_id = $O AND position = 1",
        "BROKEN, event $F: it is marked as published, but stands in no chain",
    ),
    (
        "one taken out of its chain",
        "UPDATE events SET published_at = NULL, position = NULL, mac = NULL \
         WHERE organization_id = $O AND position = 3",
        "BROKEN at position 4, event $4: one or more events before it are missing",
    ),
];

/// What is to be said, of this chain.
fn expected(pattern: &str, chain: &Chain, forged: &str) -> String {
    let last = chain.events.len();
    let mut text = pattern
        .replace("$N", &last.to_string())
        .replace("$M", &(last - 1).to_string())
        .replace("$P", &(last + 1).to_string())
        .replace("$F", forged);
    for (at, event) in (1..).zip(&chain.events) {
        text = text.replace(&format!("${at}"), event);
    }
    text
}

async fn whatever_is_done_to_the_log_is_found(backends: &str) {
    let log = Log::start(backends).await;
    let chains = log.chains(TAMPERINGS.len() + 2).await;
    let said = log.verify(&[]);
    for chain in &chains {
        let line = said_of(&said, &chain.id);
        let count = format!("holds, {} events, ", chain.events.len());
        assert!(line.len() == 1 && line[0].starts_with(&count), "{said}");
    }
    assert!(said.contains("\nplatform 00000000-") || said.starts_with("platform 00000000-"));

    log.disarm().await;
    let mut wanted = Vec::new();
    for (chain, (name, sql, pattern)) in chains.iter().zip(TAMPERINGS) {
        let forged = Uuid::now_v7().to_string();
        let sql = sql.replace("$F", &log.owner.id(&forged));
        log.tamper(&chain.id, &sql).await;
        wanted.push((chain, name, expected(pattern, chain, &forged)));
    }
    let said = log.verify(&[]);
    for (chain, name, wanted) in wanted {
        assert_eq!(said_of(&said, &chain.id), [wanted], "{name}");
    }
    // What nobody touched holds all the same.
    for chain in &chains[TAMPERINGS.len()..] {
        head_of(&said, &chain.id);
    }
}

/// Whoever cuts a chain off gets no seal for what is left by what comes after it.
async fn what_comes_after_does_not_mend(backends: &str) {
    let log = Log::start(backends).await;
    let chains = log.chains(1).await;
    log.disarm().await;
    let (_, sql, _) = TAMPERINGS[5];
    log.tamper(&chains[0].id, sql).await;
    log.rename(&chains[0].id).await;
    log.chained().await;
    let said = log.verify(&[]);
    assert!(
        said_of(&said, &chains[0].id)[0].starts_with("BROKEN"),
        "{said}"
    );
    let told = log.server.log();
    assert!(told.contains("somebody tampered with the audit trail"));
}

/// The whole of a chain is set back to what it was before, its seal too, or is removed.
async fn what_is_set_back_is_found_by_its_head(backends: &str) {
    let log = Log::start(backends).await;
    let chains = log.chains(3).await;
    let [back, gone, other] = &chains[..] else {
        unreachable!("these are three");
    };
    log.owner
        .run("CREATE TABLE copy AS SELECT * FROM chains")
        .await;
    for chain in &chains {
        log.rename(&chain.id).await;
    }
    log.chained().await;
    let before = log.verify(&[]);
    let heads: Vec<String> = chains
        .iter()
        .map(|chain| head_of(&before, &chain.id))
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    // A head stays good while its chain goes on.
    log.rename(&other.id).await;
    log.chained().await;
    let said = log.verify(&heads);
    assert_ne!(head_of(&said, &other.id), heads[2]);

    log.disarm().await;
    let set_back = "DELETE FROM chains WHERE organization_id = $O; \
        INSERT INTO chains SELECT * FROM copy WHERE organization_id = $O; \
        DELETE FROM events WHERE organization_id = $O AND position > \
        (SELECT position FROM chains WHERE organization_id = $O)";
    log.tamper(&back.id, set_back).await;
    let removed = "DELETE FROM events WHERE organization_id = $O; \
        DELETE FROM chains WHERE organization_id = $O";
    log.tamper(&gone.id, removed).await;
    // Nothing within the database tells.
    head_of(&log.verify(&[]), &back.id);
    let said = log.verify(&heads);
    head_of(&said, &other.id);
    for (chain, head) in [(back, heads[0]), (gone, heads[1])] {
        let position = head.split(':').nth(1).unwrap();
        let wanted = format!(
            "BROKEN at position {position}: the kept head is not in the chain: it was set back or \
             made anew"
        );
        assert_eq!(said_of(&said, &chain.id), [wanted]);
    }
    let mut wrong = log.server.command(&["audit", "verify", "--head", "here"]);
    let told = String::from_utf8(wrong.output().unwrap().stderr).unwrap();
    let wanted = "error: invalid value 'here'";
    assert!(told.starts_with(wanted), "{told}");
}

/// What has had its time goes, and what is left holds, while more comes.
async fn what_has_had_its_time_goes(backends: &str) {
    let mut log = Log::start(backends).await;
    let chains = log.chains(2).await;
    let before = log.verify(&[]);
    let head = head_of(&before, &chains[0].id);
    log.server.kill();
    log.server.set("EVENT_RETENTION", "1ms");
    log.server.restart();
    let gone = "SELECT count(*) || '' AS text FROM events WHERE position IS NOT NULL";
    eventually(SOON, async || {
        (log.owner.ask(gone).await == ["0"]).then_some(())
    })
    .await;
    log.server.kill();
    log.server.set("EVENT_RETENTION", "");
    log.server.restart();
    log.rename(&chains[0].id).await;
    log.chained().await;
    let said = log.verify(&[&head]);
    let last = chains[0].events.len();
    let lines = said_of(&said, &chains[0].id);
    let wanted = format!("holds, 1 events, those up to position {last} had their time, head ");
    assert!(lines[0].starts_with(&wanted), "{said}");
    // The head is that of the last one that went.
    assert_eq!(lines.len(), 1, "{said}");
    let older = head.replace(&format!(":{last}:"), ":1:");
    let said = log.verify(&[&older]);
    let lines = said_of(&said, &chains[0].id);
    assert_eq!(
        lines[1],
        "the head kept at position 1 cannot be checked: it had its time"
    );
}

/// Each test over each database.
macro_rules! over_both {
    ($($name:ident: $test:ident on $backends:literal,)*) => {$(
        #[tokio::test]
        async fn $name() {
            $test($backends).await;
        }
    )*};
}
over_both! {
    tampering_is_found_in_sqlite: whatever_is_done_to_the_log_is_found on "",
    tampering_is_found_in_postgres: whatever_is_done_to_the_log_is_found on "postgres",
    nothing_is_mended_in_sqlite: what_comes_after_does_not_mend on "",
    nothing_is_mended_in_postgres: what_comes_after_does_not_mend on "postgres",
    what_is_set_back_is_found_in_sqlite: what_is_set_back_is_found_by_its_head on "",
    what_is_set_back_is_found_in_postgres: what_is_set_back_is_found_by_its_head on "postgres",
    old_events_go_from_sqlite: what_has_had_its_time_goes on "",
    old_events_go_from_postgres: what_has_had_its_time_goes on "postgres",
}

/// It is right on a system that works: what is not chained yet is no fault, and neither is what comes
/// or goes while it looks.
#[tokio::test]
async fn who_checks_is_in_nobodys_way() {
    let log = Log::start("postgres").await;
    let worker = log.server.beside("worker");
    let id = log.organization().await;
    let busy = async {
        loop {
            log.rename(&id).await;
        }
    };
    let check = async {
        for _ in 0..5 {
            let command = log.server.command(&["audit", "verify"]);
            let said = tokio::task::spawn_blocking(|| succeed(command))
                .await
                .unwrap();
            assert!(said.contains("events are not published yet"), "{said}");
        }
    };
    tokio::select! {
        () = busy => {}
        () = check => {}
    }
    drop(worker);
}
