//! A run as it happens, over server-sent events
//! (WHATWG HTML, section 9.2).
//!
//! The truth is in the database: a stream reads the run's events and log lines
//! page by page, when its client takes more and something may have happened,
//! and keeps no more than a page. Nothing runs for it in between, so that when
//! the connection is gone, all of it is.

use std::{convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use archesai_workflows::{Adapters, OrganizationId, RunId, Service};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::time::Instant;

use super::{
    position::{HEADER, Position},
    telling::Telling,
};
use crate::{
    Problem, Settings,
    call::Call,
    live::{Live, Watch},
};

/// How long a client may wait before it asks again after a broken connection, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// Says that the stream is alive; clients pass over it.
const HEARTBEAT: &str = ": alive\n\n";

/// Answers with the events of a run.
pub(super) async fn answer<A: Adapters>(
    workflows: &Arc<Service<A>>,
    live: &Arc<Live>,
    call: Call,
    run: RunId,
) -> Result<HttpResponse, Problem> {
    let left_off = left_off(&call)?;
    let organization = OrganizationId(call.caller().organization_id.0);
    let found = workflows.run(organization, run).await?;
    let watch = live.watch(run.0, call.caller().user_id.0)?;
    let mut telling = Telling::new(Arc::clone(workflows), Arc::clone(live), organization, run);
    if let Some(position) = left_off {
        telling.go_on_after(position).await?;
        if found.status.is_ended() && telling.heard_it_all().await? {
            // By the standard this tells a client not to ask again.
            return Ok(HttpResponse::NoContent().finish());
        }
    }
    call.wait_for_client();
    let settings = &call.gate().settings;
    let rhythm = Rhythm::new(settings);
    let stream = Streaming {
        telling,
        watch,
        rhythm,
        call,
    };
    Ok(HttpResponse::build(StatusCode::OK)
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies must not hold it back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(chunks(stream)))
}

/// Where the client says it left off.
fn left_off(call: &Call) -> Result<Option<Position>, Problem> {
    let header = call.request().headers().get(HEADER);
    let text = header.map(|value| value.to_str().unwrap_or_default().trim());
    text.map(str::parse).transpose()
}

/// The body: each chunk when the client takes it.
fn chunks<A: Adapters>(
    streaming: Streaming<A>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + 'static {
    let greeting = stream::iter([Ok(Bytes::from_static(RETRY.as_bytes()))]);
    let rest = stream::unfold(Some(streaming), |streaming| async {
        let mut streaming = streaming?;
        match streaming.next().await {
            Ok(Next::Chunk(text)) => Some((Ok(Bytes::from(text)), Some(streaming))),
            Ok(Next::Last(text)) => Some((Ok(Bytes::from(text)), None)),
            Ok(Next::End) => None,
            Err(problem) => {
                // Too late for an answer of its own; the client asks again and gets one.
                tracing::info!(error = %problem, "an event stream broke off");
                None
            }
        }
    });
    futures_util::StreamExt::chain(greeting, rest)
}

/// What comes next in a stream.
enum Next {
    /// Some of it.
    Chunk(String),
    /// The rest of it.
    Last(String),
    /// Nothing.
    End,
}

/// When a stream does what it does from time to time.
struct Rhythm {
    poll: Duration,
    heartbeat: Duration,
    /// How long to wait for news before looking for some: the longer nothing
    /// happens, the longer.
    patience: Duration,
    last_sign: Instant,
    last_check: Instant,
}

impl Rhythm {
    fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        Self {
            poll: settings.stream_poll,
            heartbeat: settings.stream_heartbeat,
            patience: settings.stream_poll,
            last_sign: now,
            last_check: now,
        }
    }
}

/// A stream that goes on.
struct Streaming<A: Adapters> {
    telling: Telling<A>,
    watch: Watch,
    rhythm: Rhythm,
    call: Call,
}

impl<A: Adapters> Streaming<A> {
    async fn next(&mut self) -> Result<Next, Problem> {
        loop {
            if self.watch.is_closed() {
                return Ok(Next::End);
            }
            self.check().await?;
            let round = self.telling.round().await?;
            if round.over {
                return Ok(Next::Last(round.text));
            }
            if !round.text.is_empty() {
                self.rhythm.last_sign = Instant::now();
                self.rhythm.patience = self.rhythm.poll;
                return Ok(Next::Chunk(round.text));
            }
            if round.more {
                continue;
            }
            if self.rhythm.last_sign.elapsed() >= self.rhythm.heartbeat {
                if self.telling.is_over().await? {
                    return Ok(Next::End);
                }
                self.rhythm.last_sign = Instant::now();
                return Ok(Next::Chunk(HEARTBEAT.to_owned()));
            }
            let patience = self.rhythm.patience.min(self.rhythm.heartbeat);
            self.rhythm.patience = patience * 2;
            self.watch.wait(patience).await;
        }
    }

    /// Makes sure from time to time that the caller still may watch: sessions
    /// and API keys are revoked, tokens expire, members leave.
    async fn check(&mut self) -> Result<(), Problem> {
        if self.rhythm.last_check.elapsed() < self.rhythm.poll {
            return Ok(());
        }
        self.rhythm.last_check = Instant::now();
        self.call.recheck().await
    }
}
