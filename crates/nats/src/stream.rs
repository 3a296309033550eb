//! The stream that keeps published events.

use std::time::Duration;

use async_nats::jetstream::{
    context::{GetStreamError, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};
use tokio::sync::OnceCell;

use crate::{Error, Nats};

/// Within what time the same event is kept once only, however often it is published. The server
/// remembers the ids of so long in its memory.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// The stream of one system.
#[derive(Debug)]
pub(crate) struct EventStream {
    nats: Nats,
    /// Whether this process has seen that the stream is as it should be.
    is_made: OnceCell<()>,
}

impl EventStream {
    pub(crate) fn new(nats: Nats) -> Self {
        Self {
            nats,
            is_made: OnceCell::new(),
        }
    }

    pub(crate) fn nats(&self) -> &Nats {
        &self.nats
    }

    /// The name of the stream.
    pub(crate) fn name(&self) -> String {
        format!("{}-events", self.nats.settings().prefix)
    }

    /// The subject of what happened to an aggregate of a kind: the last words of it are those of
    /// `what`, without the kind if it begins with that.
    pub(crate) fn subject(&self, aggregate: &str, what: &str) -> String {
        let after = what.strip_prefix(aggregate);
        let what = after
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(what);
        let words: Vec<_> = what.split('.').map(token).collect();
        let prefix = &self.nats.settings().prefix;
        format!("{prefix}.events.{}.{}", token(aggregate), words.join("."))
    }

    /// Sees to it, once, that the stream is there and as it should be.
    pub(crate) async fn ensure_once(&self) -> Result<(), Error> {
        let ensure = || async { self.ensure().await.map(drop) };
        self.is_made.get_or_try_init(ensure).await.copied()
    }

    /// Makes the stream, if it is not there, or changes what is not as the settings say. What they
    /// say nothing of, such as a limit that somebody set by hand, stays.
    pub(crate) async fn ensure(&self) -> Result<Stream, Error> {
        let jetstream = self.nats.jetstream();
        let stream = match jetstream.get_stream(self.name()).await {
            Ok(stream) => stream,
            Err(error) if is_missing(&error) => {
                return Ok(jetstream
                    .create_stream(self.wanted(Config::default()))
                    .await?);
            }
            Err(error) => return Err(error.into()),
        };
        let current = &stream.cached_info().config;
        let wanted = self.wanted(current.clone());
        if *current == wanted {
            return Ok(stream);
        }
        jetstream.update_stream(wanted).await?;
        Ok(jetstream.get_stream(self.name()).await?)
    }

    fn wanted(&self, config: Config) -> Config {
        let settings = self.nats.settings();
        Config {
            name: self.name(),
            description: Some("What happened in ArchesAI".to_owned()),
            subjects: vec![format!("{}.events.>", settings.prefix)],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            num_replicas: settings.replicas,
            max_age: settings.max_age,
            duplicate_window: DUPLICATE_WINDOW.min(settings.max_age),
            ..config
        }
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.code() == 404)
}

/// A text as one word of a subject: what has a meaning there, or none anywhere, becomes `_`.
pub(crate) fn token(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let word: String = text
        .chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect();
    if word.is_empty() {
        "_".to_owned()
    } else {
        word
    }
}
