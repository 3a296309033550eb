//! The client against servers of this machine, which it must not reach unless they are opened.

mod server;

use std::{
    collections::BTreeMap,
    error, io,
    net::IpAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use archesai_egress::{Client, Config, Error, Kind, Looking, Lookup, Request, Response, Rule};
use server::{Answer, Server};

type Test = Result<(), Box<dyn error::Error>>;

/// A name service by a table, which may answer differently each time.
#[derive(Default)]
struct Table {
    names: BTreeMap<&'static str, Vec<Vec<&'static str>>>,
    asked: Arc<AtomicUsize>,
}

impl Table {
    /// A name with the same addresses every time.
    fn with(mut self, name: &'static str, addresses: &[&'static str]) -> Self {
        self.names.insert(name, vec![addresses.to_vec()]);
        self
    }

    /// A name with other addresses the second time.
    fn rebinding(mut self, name: &'static str, first: &'static str, then: &'static str) -> Self {
        self.names.insert(name, vec![vec![first], vec![then]]);
        self
    }
}

impl Lookup for Table {
    fn lookup(&self, name: &str) -> Looking {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.names.get(name).map(|answers| {
            let answer = answers.get(asked).or(answers.last());
            let addresses = answer.into_iter().flatten();
            addresses.filter_map(|a| a.parse::<IpAddr>().ok()).collect()
        });
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

fn config(allow: &[&str]) -> Result<Config, String> {
    Ok(Config {
        allow: allow
            .iter()
            .map(|rule| rule.parse())
            .collect::<Result<_, _>>()?,
        ..Config::default()
    })
}

/// A client that may reach this machine by its address.
fn open() -> Result<Client, Box<dyn error::Error>> {
    Ok(Client::new(config(&["127.0.0.1"])?)?)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let found = response.headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn an_opened_address_answers() -> Test {
    let server = Server::start([Answer::text(404, "not here").header("X-Answer: yes")]).await?;
    let request = Request {
        method: "PUT".to_owned(),
        headers: vec![("X-Key".to_owned(), "secret".to_owned())],
        body: Some(b"content".to_vec()),
        ..Request::get(server.url("/path?query#fragment"))
    };
    let response = open()?.send(request).await?;
    assert_eq!(response.status, 404);
    assert_eq!(response.body, b"not here");
    assert_eq!(header(&response, "x-answer"), Some("yes"));
    assert_eq!(response.final_url, server.url("/path?query"));
    let requests = server.requests();
    assert!(requests[0].starts_with("PUT /path?query HTTP/1.1\r\n"));
    assert!(requests[0].contains("x-key: secret\r\n"));
    assert!(requests[0].ends_with("\r\n\r\ncontent"));
    Ok(())
}

#[tokio::test]
async fn this_machine_is_not_reached_by_any_spelling() -> Test {
    let server = Server::start([]).await?;
    let port = server.port();
    let client = Client::new(Config::default())?;
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "ⓛocalhost",
        "ｌｏｃａｌｈｏｓｔ",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[2a00::5efe:7f00:1]",
    ] {
        let answer = client
            .send(Request::get(format!("http://{host}:{port}/")))
            .await;
        let Err(error @ (Error::Address { .. } | Error::Host { .. })) = answer else {
            return Err(format!("{host}: {answer:?}").into());
        };
        assert!(error.to_string().contains("egress_allow"), "{error}");
        assert!(!error.is_transient(), "{error}");
    }
    assert_eq!(server.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn the_message_says_what_and_how_to_mend_it() -> Test {
    let client = Client::new(Config::default())?;
    let answer = client.send(Request::get("http://127.1/")).await;
    assert_eq!(
        answer.err().map(|error| error.to_string()).as_deref(),
        Some(
            "the address 127.0.0.1 is not reachable from pipelines: it is loopback; \
             an operator can allow it with egress_allow"
        )
    );
    Ok(())
}

#[tokio::test]
async fn an_exception_opens_itself_only() -> Test {
    let server = Server::start([Answer::text(200, "by name")]).await?;
    let port = server.port();
    let table = || {
        Table::default()
            .with("open.test", &["127.0.0.1"])
            .with("closed.test", &["127.0.0.1"])
    };
    let client = Client::with_lookup(config(&["open.test"])?, table())?;
    let opened = client.send(Request::get(format!("http://open.test:{port}/")));
    assert_eq!(opened.await?.body, b"by name");
    for host in ["closed.test", "127.0.0.1"] {
        let answer = client
            .send(Request::get(format!("http://{host}:{port}/")))
            .await;
        assert!(answer.is_err(), "{host}: {answer:?}");
    }
    let client = Client::with_lookup(config(&["127.0.0.2/31", "::1"])?, table())?;
    for host in ["open.test", "127.0.0.1", "[::ffff:127.0.0.2]"] {
        let answer = client
            .send(Request::get(format!("http://{host}:{port}/")))
            .await;
        assert!(answer.is_err(), "{host}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn only_the_judged_addresses_of_a_name_are_connected_to() -> Test {
    let server = Server::start([Answer::text(200, "second")]).await?;
    // Were the first address tried, the server would answer there as well: it is on all of them.
    let table = Table::default().with("mixed.test", &["127.0.0.3", "127.0.0.1"]);
    let client = Client::with_lookup(config(&["127.0.0.1"])?, table)?;
    let url = format!("http://mixed.test:{}/", server.port());
    assert_eq!(client.send(Request::get(url)).await?.body, b"second");
    assert_eq!(server.addresses(), ["127.0.0.1"]);
    Ok(())
}

#[tokio::test]
async fn a_name_is_judged_in_every_spelling() -> Test {
    let table = Table::default()
        .with("absolute.test.", &["127.0.0.1"])
        .with("xn--bcher-kva.test", &["127.0.0.1"])
        .with("both.test", &["10.0.0.1", "fd00::1", "::ffff:7f00:1"]);
    let client = Client::with_lookup(Config::default(), table)?;
    for host in ["absolute.test.", "bücher.test", "BÜCHER.test", "both.test"] {
        let answer = client.send(Request::get(format!("http://{host}/"))).await;
        assert!(
            matches!(answer, Err(Error::Host { .. })),
            "{host}: {answer:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() -> Test {
    let server = Server::start([Answer::text(200, "first")]).await?;
    let url = format!("http://rebind.test:{}/", server.port());
    let table = Table::default().rebinding("rebind.test", "127.0.0.1", "127.0.0.2");
    let asked = Arc::clone(&table.asked);
    let client = Client::with_lookup(config(&["127.0.0.1"])?, table)?;
    assert_eq!(client.send(Request::get(&*url)).await?.body, b"first");
    assert_eq!(
        asked.load(Ordering::SeqCst),
        1,
        "one look-up per connection"
    );
    let answer = client.send(Request::get(url)).await;
    let Err(Error::Host { host, kind }) = answer else {
        return Err(format!("{answer:?}").into());
    };
    assert_eq!((host.as_str(), kind), ("rebind.test", Kind::Loopback));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(server.addresses(), ["127.0.0.1"]);
    Ok(())
}

#[tokio::test]
async fn a_name_without_addresses_is_said_so() -> Test {
    let client = Client::with_lookup(Config::default(), Table::default().with("none.test", &[]))?;
    for host in ["none.test", "unknown.test"] {
        let answer = client.send(Request::get(format!("http://{host}/"))).await;
        assert!(matches!(answer, Err(Error::NoAddress { .. })), "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn redirects_are_followed_and_judged() -> Test {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "//192.168.0.1/",
        "http://0x7f.2/",
        "http://[::ffff:127.0.0.1]/",
        "https://[::1]/",
    ] {
        let server = Server::start([Answer::redirect(302, location)]).await?;
        let answer = open()?.send(Request::get(server.url("/"))).await;
        let refused = matches!(answer, Err(Error::Address { .. } | Error::Host { .. }));
        assert!(refused, "{location}: {answer:?}");
    }
    for location in [
        "file:///etc/passwd",
        "http://u:p@127.0.0.1/",
        "http://[",
        "gopher://a/",
    ] {
        let server = Server::start([Answer::redirect(301, location)]).await?;
        let answer = open()?.send(Request::get(server.url("/"))).await;
        assert!(
            matches!(answer, Err(Error::Url { .. })),
            "{location}: {answer:?}"
        );
    }
    let server = Server::start([
        Answer::redirect(307, "next?a=b"),
        Answer::redirect(302, "/last"),
        Answer::text(200, "there"),
    ])
    .await?;
    let response = open()?
        .send(Request::get(server.url("/first/step")))
        .await?;
    assert_eq!(response.body, b"there");
    assert_eq!(response.final_url, server.url("/last"));
    assert!(server.requests()[1].starts_with("GET /first/next?a=b "));
    Ok(())
}

#[tokio::test]
async fn a_redirect_loop_ends() -> Test {
    let again = || Answer::redirect(302, "/again");
    let server = Server::start([again(), again(), again(), again(), again()]).await?;
    let request = Request {
        max_redirects: 3,
        ..Request::get(server.url("/"))
    };
    let answer = open()?.send(request).await;
    assert!(
        matches!(answer, Err(Error::TooManyRedirects { limit: 3 })),
        "{answer:?}"
    );
    assert_eq!(server.requests().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_redirect_that_is_not_followed_is_the_answer() -> Test {
    let server = Server::start([
        Answer::redirect(302, "http://10.0.0.1/"),
        Answer::text(304, ""),
        Answer::text(300, "no location"),
    ])
    .await?;
    let request = Request {
        max_redirects: 0,
        ..Request::get(server.url("/"))
    };
    let response = open()?.send(request).await?;
    assert_eq!(header(&response, "location"), Some("http://10.0.0.1/"));
    assert_eq!(
        open()?.send(Request::get(server.url("/"))).await?.status,
        304
    );
    assert_eq!(
        open()?.send(Request::get(server.url("/"))).await?.status,
        300
    );
    Ok(())
}

#[tokio::test]
async fn nothing_confidential_goes_to_another_origin() -> Test {
    let other = Server::start([Answer::text(200, "there")]).await?;
    let server = Server::start([
        Answer::redirect(307, "/same"),
        Answer::redirect(307, &other.url("/other")),
    ])
    .await?;
    let headers = [
        ("Authorization", "Bearer secret"),
        ("Cookie", "session=secret"),
        ("X-Api-Key", "secret"),
        ("Accept", "text/plain"),
        ("Content-Type", "text/plain"),
    ];
    let request = Request {
        method: "POST".to_owned(),
        headers: headers.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec(),
        body: Some(b"content".to_vec()),
        ..Request::get(server.url("/"))
    };
    assert_eq!(open()?.send(request).await?.body, b"there");
    let same = &server.requests()[1];
    assert_eq!(same.matches("secret").count(), 3, "{same}");
    let request = &other.requests()[0];
    assert!(!request.contains("secret"), "{request}");
    assert!(request.contains("accept: text/plain\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\ncontent"), "{request}");
    Ok(())
}

#[tokio::test]
async fn a_redirect_after_a_post_asks_for_what_came_of_it() -> Test {
    for status in [301, 302, 303] {
        let there = Answer::text(200, "there");
        let server = Server::start([Answer::redirect(status, "/done"), there]).await?;
        let request = Request {
            method: "POST".to_owned(),
            headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())],
            body: Some(b"content".to_vec()),
            ..Request::get(server.url("/"))
        };
        open()?.send(request).await?;
        let request = &server.requests()[1];
        assert!(request.starts_with("GET /done "), "{request}");
        assert!(!request.contains("content"), "{request}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_has_a_limit_announced_or_not() -> Test {
    let long = "x".repeat(1001);
    for answer in [
        Answer::text(200, &long),
        Answer::unannounced(&long),
        Answer::Endless,
        Answer::Chunked,
    ] {
        let server = Server::start([answer]).await?;
        let request = Request {
            max_response_bytes: 1000,
            ..Request::get(server.url("/"))
        };
        let answer = open()?.send(request).await;
        assert!(
            matches!(answer, Err(Error::TooLarge { limit: 1000 })),
            "{answer:?}"
        );
    }
    let server = Server::start([Answer::unannounced(&long[1..])]).await?;
    let request = Request {
        max_response_bytes: 1000,
        ..Request::get(server.url("/"))
    };
    assert_eq!(open()?.send(request).await?.body.len(), 1000);
    Ok(())
}

#[tokio::test]
async fn an_endless_head_ends() -> Test {
    let server = Server::start([Answer::EndlessHead]).await?;
    let answer = open()?.send(Request::get(server.url("/"))).await;
    assert!(matches!(answer, Err(Error::Broken { .. })), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_compressed_body_is_left_as_it_is() -> Test {
    let answer = Answer::text(200, "not really").header("Content-Encoding: gzip");
    let server = Server::start([answer]).await?;
    let response = open()?.send(Request::get(server.url("/"))).await?;
    assert_eq!(response.body, b"not really");
    assert!(!server.requests()[0].contains("accept-encoding"));
    Ok(())
}

#[tokio::test]
async fn slowness_has_an_end_wherever_it_is() -> Test {
    for answer in [Answer::Silence, Answer::Stalled, Answer::Dripping] {
        let server = Server::start([answer]).await?;
        let request = Request {
            timeout: Duration::from_millis(300),
            ..Request::get(server.url("/"))
        };
        let started = Instant::now();
        let answer = open()?.send(request).await;
        assert!(matches!(answer, Err(Error::Timeout { .. })), "{answer:?}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }
    // A redirect does not start the time anew.
    let server = Server::start([Answer::redirect(302, "/"), Answer::Silence]).await?;
    let request = Request {
        timeout: Duration::from_millis(300),
        ..Request::get(server.url("/"))
    };
    let answer = open()?.send(request).await;
    assert!(matches!(answer, Err(Error::Timeout { .. })), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn an_answer_cut_short_is_an_error() -> Test {
    let server = Server::start([Answer::Cut]).await?;
    let answer = open()?.send(Request::get(server.url("/"))).await;
    assert!(matches!(answer, Err(Error::Broken { .. })), "{answer:?}");
    let url = server.url("/");
    server.stop().await;
    let answer = open()?.send(Request::get(url)).await;
    let Err(error @ Error::Connect { .. }) = answer else {
        return Err(format!("{answer:?}").into());
    };
    assert!(error.is_transient());
    Ok(())
}

/// A name service that never answers.
struct Deaf;

impl Lookup for Deaf {
    fn lookup(&self, _: &str) -> Looking {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn looking_a_name_up_counts_as_time() -> Test {
    let client = Client::with_lookup(Config::default(), Deaf)?;
    let request = Request {
        timeout: Duration::from_millis(100),
        ..Request::get("http://slow.test/")
    };
    let answer = client.send(request).await;
    assert!(matches!(answer, Err(Error::Timeout { .. })), "{answer:?}");
    Ok(())
}

/// What tells this test that it runs in the environment with the proxies.
const TARGET: &str = "ARCHESAI_TEST_TARGET";

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "this test is about the environment"
)]
async fn proxy_variables_are_ignored() -> Test {
    if let Ok(target) = std::env::var(TARGET) {
        assert_eq!(open()?.send(Request::get(target)).await?.body, b"direct");
        return Ok(());
    }
    let proxy = Server::start([Answer::text(200, "by proxy")]).await?;
    let target = Server::start([Answer::text(200, "direct")]).await?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--exact", "proxy_variables_are_ignored"])
        .env(TARGET, target.url("/"))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env(name, proxy.url("/"));
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    assert_eq!((proxy.connections(), target.connections()), (0, 1));
    Ok(())
}

#[test]
fn rules_are_read_from_text() {
    assert!("10.0.0.0/8".parse::<Rule>().is_ok());
    assert!("10.0.0.0/99".parse::<Rule>().is_err());
}
