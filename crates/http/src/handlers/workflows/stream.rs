//! A run as it happens, over server-sent events
//! (WHATWG HTML, section 9.2).
//!
//! The truth is in the database: a stream reads the run's events and log lines
//! page by page, when its client takes more and something may have happened,
//! and keeps no more than a page. Nothing runs for it in between, so that when
//! the connection is gone, all of it is.

use std::{convert::Infallible, fmt::Write as _, iter::Peekable, sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use archesai_platform::events::LoggedEvent;
use archesai_workflows::{
    Adapters, Event, LogLine, OrganizationId, RunId, Service, ports::Repository as _,
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::time::Instant;

use super::{
    position::{HEADER, Position},
    story::{Story, Told},
};
use crate::{
    Problem, Settings,
    call::Call,
    live::{Live, Watch},
};

/// How many events, and how many log lines, are read at once.
const PAGE: u32 = 100;

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
    let watch = live.watch(run.0)?;
    let mut telling = Telling {
        workflows: Arc::clone(workflows),
        live: Arc::clone(live),
        organization,
        run,
        story: Story::new(run),
        position: Position::default(),
    };
    if let Some(position) = left_off {
        telling.go_on_after(position).await?;
        if found.status.is_ended() && telling.heard_it_all().await? {
            // By the standard this tells a client not to ask again.
            return Ok(HttpResponse::NoContent().finish());
        }
    }
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
    last_sign: Instant,
    last_check: Instant,
}

impl Rhythm {
    fn new(settings: &Settings) -> Self {
        let now = Instant::now();
        Self {
            poll: settings.stream_poll,
            heartbeat: settings.stream_heartbeat,
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
            self.check().await?;
            let round = self.telling.round().await?;
            if round.over {
                return Ok(Next::Last(round.text));
            }
            if !round.text.is_empty() {
                self.rhythm.last_sign = Instant::now();
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
            let patience = self.rhythm.poll.min(self.rhythm.heartbeat);
            if !self.watch.wait(patience).await {
                return Ok(Next::End);
            }
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

/// Tells the story of a run to one client.
struct Telling<A: Adapters> {
    workflows: Arc<Service<A>>,
    live: Arc<Live>,
    organization: OrganizationId,
    run: RunId,
    story: Story,
    position: Position,
}

/// What one look at the database brought.
struct Round {
    /// What is to be told, as it goes over the line.
    text: String,
    /// Whether that may not be all there is.
    more: bool,
    /// Whether nothing can come after it.
    over: bool,
}

impl<A: Adapters> Telling<A> {
    /// Takes as heard what lies before a position.
    async fn go_on_after(&mut self, position: Position) -> Result<(), Problem> {
        let mut more = true;
        while more {
            let events = self.events().await?;
            more = is_full(&events);
            for event in events {
                if event.sequence > position.event {
                    more = false;
                    break;
                }
                self.position.event = event.sequence;
                self.tell(&event);
            }
        }
        self.position = position;
        Ok(())
    }

    async fn events(&self) -> Result<Vec<LoggedEvent>, Problem> {
        let (organization, aggregate) = (self.organization.0, ("run", self.run.0));
        let after = self.position.event;
        self.live
            .history(organization, aggregate, after, PAGE)
            .await
    }

    /// That the run is this organization's is known, and seen to again with the heartbeats.
    async fn lines(&self) -> Result<Vec<LogLine>, Problem> {
        let (store, after) = (&self.workflows.store, self.position.line);
        let lines = store.list_logs(self.organization, self.run, None, after, PAGE);
        Ok(lines.await?)
    }

    /// Whether there are no events after the position.
    async fn heard_it_all(&self) -> Result<bool, Problem> {
        Ok(self.events().await?.is_empty())
    }

    /// Whether nothing can come any more, for the run is gone or has ended.
    async fn is_over(&self) -> Result<bool, Problem> {
        match self.workflows.run(self.organization, self.run).await {
            Ok(run) => Ok(run.status.is_ended() && self.heard_it_all().await?),
            Err(archesai_workflows::Error::NotFound) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is new, and tells it in the order of time.
    async fn round(&mut self) -> Result<Round, Problem> {
        // In this order: whoever sees that the run has ended sees all lines written before.
        let events = self.events().await?;
        let lines = self.lines().await?;
        let more = is_full(&events) || is_full(&lines);
        let mut text = String::new();
        for news in Merged::new(events, lines) {
            let told = match news {
                News::Event(event) => {
                    self.position.event = event.sequence;
                    self.tell(&event)
                }
                News::Line(line) => {
                    self.position.line = line.sequence;
                    Some(self.story.line(line))
                }
            };
            if let Some(told) = told {
                write(&mut text, self.position, &told)?;
            }
        }
        let over = self.story.ended() && !more;
        Ok(Round { text, more, over })
    }

    fn tell(&mut self, event: &LoggedEvent) -> Option<Told> {
        // What a later version of the server records is none of this one's business.
        let event: Event = serde_json::from_str(&event.payload).ok()?;
        self.story.tell(event)
    }
}

/// Whether a page may not be the last.
fn is_full<T>(page: &[T]) -> bool {
    page.len() >= PAGE as usize
}

/// Writes a server-sent event. JSON as it is written here has no line breaks.
fn write(text: &mut String, position: Position, told: &Told) -> Result<(), Problem> {
    let data = serde_json::to_string(told).map_err(Problem::unavailable)?;
    // That writing to a string fails is only for its signature to say.
    _ = write!(
        text,
        "id: {position}\nevent: {}\ndata: {data}\n\n",
        told.name()
    );
    Ok(())
}

/// Something that happened, or that a step told of itself.
#[derive(Debug)]
enum News {
    Event(LoggedEvent),
    Line(LogLine),
}

/// A page of events and a page of lines in the order of time, each in its own
/// order. It stops where a full page is used up: what comes after may be older
/// than what is left of the other. The end of a run comes after every line.
struct Merged {
    events: Peekable<std::vec::IntoIter<LoggedEvent>>,
    lines: Peekable<std::vec::IntoIter<LogLine>>,
    more_events: bool,
    more_lines: bool,
}

impl Merged {
    fn new(events: Vec<LoggedEvent>, lines: Vec<LogLine>) -> Self {
        Self {
            more_events: is_full(&events),
            more_lines: is_full(&lines),
            events: events.into_iter().peekable(),
            lines: lines.into_iter().peekable(),
        }
    }
}

impl Iterator for Merged {
    type Item = News;

    fn next(&mut self) -> Option<News> {
        let line_first = match (self.events.peek(), self.lines.peek()) {
            (None, _) if self.more_events => return None,
            (_, None) if self.more_lines => return None,
            (Some(event), Some(line)) => line.at <= event.occurred_at || is_end(event),
            (event, _) => event.is_none(),
        };
        if line_first {
            self.lines.next().map(News::Line)
        } else {
            self.events.next().map(News::Event)
        }
    }
}

/// Whether an event says that the run ended.
fn is_end(event: &LoggedEvent) -> bool {
    matches!(
        event.kind.as_str(),
        "run.succeeded" | "run.failed" | "run.cancelled"
    )
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use archesai_workflows::{LogLevel, StepRunId};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn event(sequence: i64, kind: &str, seconds: u64) -> LoggedEvent {
        LoggedEvent {
            sequence,
            id: sequence.unsigned_abs().into(),
            organization_id: Some(1),
            actor_id: None,
            aggregate_kind: "run".to_owned(),
            aggregate_id: 2,
            kind: kind.to_owned(),
            payload: "{}".to_owned(),
            occurred_at: at(seconds),
        }
    }

    fn line(sequence: u64, seconds: u64) -> LogLine {
        LogLine {
            sequence,
            run_id: RunId(2),
            step_run_id: StepRunId(3),
            at: at(seconds),
            level: LogLevel::Info,
            message: "a\nb".to_owned(),
        }
    }

    /// The sequences of what is told: of events, and of lines with an `l`.
    fn told(events: Vec<LoggedEvent>, lines: Vec<LogLine>) -> Vec<String> {
        let news = Merged::new(events, lines).map(|news| match news {
            News::Event(event) => event.sequence.to_string(),
            News::Line(line) => format!("l{}", line.sequence),
        });
        news.collect()
    }

    #[test]
    fn news_come_in_the_order_of_time() {
        let events = vec![event(1, "run.started", 1), event(5, "step.started", 3)];
        let lines = vec![line(1, 2), line(2, 3), line(3, 9)];
        assert_eq!(told(events, lines), ["1", "l1", "l2", "5", "l3"]);
    }

    #[test]
    fn a_clock_that_is_behind_puts_no_line_after_the_end() {
        let events = vec![event(1, "step.succeeded", 1), event(2, "run.succeeded", 2)];
        let lines = vec![line(1, 50), line(2, 40)];
        assert_eq!(told(events, lines), ["1", "l1", "l2", "2"]);
    }

    #[test]
    fn a_full_page_is_used_up_before_what_may_come_after_it() {
        let lines: Vec<_> = (1..=u64::from(PAGE)).map(|at| line(at, at)).collect();
        let events = vec![event(1, "run.started", 0), event(2, "run.failed", 1)];
        let told = told(events, lines);
        assert_eq!(told.len(), PAGE as usize + 1);
        assert_eq!(told.last().unwrap(), &format!("l{PAGE}"));
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let mut text = String::new();
        let position = Position { event: 7, line: 3 };
        let told = Story::new(RunId(2)).line(line(3, 0));
        write(&mut text, position, &told).unwrap();
        let data = r#"{"run_step_id":"00000000-0000-0000-0000-000000000003","at":"1970-01-01T00:00:00Z","level":"info","message":"a\nb"}"#;
        assert_eq!(text, format!("id: 7-3\nevent: log\ndata: {data}\n\n"));
    }
}
