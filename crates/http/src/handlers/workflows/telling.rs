//! What a client of a run's stream has been told, and what is to be told next.

use std::{fmt::Write as _, sync::Arc};

use archesai_platform::events::LoggedEvent;
use archesai_workflows::{
    Adapters, Event, LogLine, OrganizationId, RunId, Service, ports::Repository as _,
};

use super::{
    merged::{Merged, News, PAGE, is_full},
    position::Position,
    story::{Story, Told},
};
use crate::{Problem, live::Live};

/// Tells the story of a run to one client.
pub(super) struct Telling<A: Adapters> {
    workflows: Arc<Service<A>>,
    live: Arc<Live>,
    organization: OrganizationId,
    run: RunId,
    story: Story,
    position: Position,
}

/// What one look at the database brought.
pub(super) struct Round {
    /// What is to be told, as it goes over the line.
    pub(super) text: String,
    /// Whether that may not be all there is.
    pub(super) more: bool,
    /// Whether nothing can come after it.
    pub(super) over: bool,
}

impl<A: Adapters> Telling<A> {
    pub(super) fn new(
        workflows: Arc<Service<A>>,
        live: Arc<Live>,
        organization: OrganizationId,
        run: RunId,
    ) -> Self {
        Self {
            workflows,
            live,
            organization,
            run,
            story: Story::new(run),
            position: Position::default(),
        }
    }

    /// Takes as heard what lies before a position.
    pub(super) async fn go_on_after(&mut self, position: Position) -> Result<(), Problem> {
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
                if let Some(event) = parse(&event) {
                    self.story.tell(event);
                }
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
    pub(super) async fn heard_it_all(&self) -> Result<bool, Problem> {
        Ok(self.events().await?.is_empty())
    }

    /// Whether nothing can come any more, for the run is gone or has ended.
    pub(super) async fn is_over(&self) -> Result<bool, Problem> {
        match self.workflows.run(self.organization, self.run).await {
            Ok(run) => Ok(run.status.is_ended() && self.heard_it_all().await?),
            Err(archesai_workflows::Error::NotFound) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads what is new, and tells it in the order of time.
    pub(super) async fn round(&mut self) -> Result<Round, Problem> {
        // In this order: whoever sees that the run has ended sees all lines written before.
        let events = self.events().await?;
        let lines = self.lines().await?;
        let more = is_full(&events) || is_full(&lines);
        let mut text = String::new();
        for news in Merged::new(events, lines) {
            let told = match news {
                News::Event(event) => {
                    let parsed = parse(&event);
                    // They belong to the event, and so the place stays before it until it is told.
                    for told in parsed.iter().flat_map(|event| self.story.cut_short(event)) {
                        write(&mut text, self.position, &told)?;
                    }
                    self.position.event = event.sequence;
                    parsed.and_then(|event| self.story.tell(event))
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
}

/// What a later version of the server records is none of this one's business.
fn parse(event: &LoggedEvent) -> Option<Event> {
    serde_json::from_str(&event.payload).ok()
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use archesai_workflows::{LogLevel, StepRunId};

    use super::*;

    #[test]
    fn an_event_is_one_line_of_data() {
        let mut text = String::new();
        let position = Position { event: 7, line: 3 };
        let line = LogLine {
            sequence: 3,
            run_id: RunId(2),
            step_run_id: StepRunId(3),
            at: SystemTime::UNIX_EPOCH,
            level: LogLevel::Info,
            message: "a\nb".to_owned(),
        };
        let told = Story::new(RunId(2)).line(line);
        write(&mut text, position, &told).unwrap();
        let data = r#"{"run_step_id":"00000000-0000-0000-0000-000000000003","at":"1970-01-01T00:00:00Z","level":"info","message":"a\nb"}"#;
        assert_eq!(text, format!("id: 7-3\nevent: log\ndata: {data}\n\n"));
    }
}
