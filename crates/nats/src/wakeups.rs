//! Wake-ups on every node.

use std::{mem, sync::Arc, time::Duration};

use archesai_platform::wakeups::Wake;
use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use crate::{Nats, connection::Status, task::Task};

/// How long after a message to other nodes the next one follows at the soonest.
const APART: Duration = Duration::from_millis(1);

/// How long to wait before subscribing anew.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Wakes whoever waits for work of one kind: here at once, with or without NATS, and on other nodes
/// by a message that is sent once and may be lost. After every new connection everybody is
/// woken, for what was said in the meantime. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub struct NatsWakeups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    notes: Arc<Notes>,
    _task: Task,
}

/// What is still to be done about wake-ups.
#[derive(Debug, Default)]
struct Notes {
    /// Somebody here is to be woken.
    here: Notify,
    /// The others are to be told.
    elsewhere: Notify,
}

impl NatsWakeups {
    pub(crate) fn start(nats: &Nats, subject: String) -> Self {
        let notes = Arc::new(Notes::default());
        let post = Post {
            client: nats.client().clone(),
            nats: nats.clone(),
            status: nats.status(),
            // A word that no other node has.
            me: nats.client().new_inbox(),
            subject,
            notes: Arc::clone(&notes),
        };
        Self(Arc::new(Inner {
            notes,
            _task: Task::spawn(post.run()),
        }))
    }
}

impl Wake for NatsWakeups {
    async fn woken(&self) {
        self.0.notes.here.notified().await;
    }
}

/// Implements the port of a domain, and that which they share.
macro_rules! wakeups {
    ($($port:path),*) => {$(
        impl $port for NatsWakeups {
            fn wake(&self) {
                self.0.notes.here.notify_one();
                self.0.notes.elsewhere.notify_one();
            }
        }
    )*};
}
wakeups!(
    archesai_content::ports::Wakeups,
    archesai_platform::wakeups::Wakeups,
    archesai_workflows::ports::Wakeups
);

/// Exchanges wake-ups with the other nodes.
struct Post {
    client: Client,
    nats: Nats,
    status: watch::Receiver<Status>,
    subject: String,
    /// By what a message of this node is told from others'.
    me: String,
    notes: Arc<Notes>,
}

impl Post {
    async fn run(mut self) {
        loop {
            if let Ok(messages) = self.client.subscribe(self.subject.clone()).await {
                self.exchange(messages).await;
            }
            sleep(AFTER_FAILURE).await;
        }
    }

    /// Ends when the subscription does.
    async fn exchange(&mut self, mut messages: Subscriber) {
        let mut connections = 0;
        self.status.mark_changed();
        loop {
            tokio::select! {
                Ok(()) = self.status.changed() => {
                    let now = self.status.borrow_and_update().connections;
                    if now > mem::replace(&mut connections, now) {
                        // It comes back to this node too, and proves that it hears.
                        self.send("").await;
                    }
                }
                () = self.notes.elsewhere.notified() => {
                    // Others can do without a hint. After the next connection comes another one.
                    if self.nats.connected().is_ok() {
                        self.send(&self.me).await;
                    }
                    sleep(APART).await;
                }
                message = messages.next() => match message {
                    Some(message) if message.payload == self.me => {}
                    Some(_) => self.notes.here.notify_one(),
                    None => return,
                },
            }
        }
    }

    async fn send(&self, from: &str) {
        let sent = self
            .client
            .publish(self.subject.clone(), from.to_owned().into());
        drop(timeout(self.nats.timeout(), sent).await);
    }
}
