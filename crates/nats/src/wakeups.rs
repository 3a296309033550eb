//! Wake-ups on every node.

use std::{mem, sync::Arc, time::Duration};

use archesai_bus::{Notes, Wakeups};
use async_nats::{Client, Subscriber};
use futures_util::StreamExt;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{Nats, connection::Status};

/// How long after a message to other nodes the next one follows at the soonest.
const APART: Duration = Duration::from_millis(1);

/// How long to wait before subscribing anew.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Wakes whoever waits for work of one kind: on other nodes by a message that is sent once and may be
/// lost. After every new connection everybody is woken, for what was said in the meantime.
pub(crate) fn start(nats: &Nats, subject: String) -> Wakeups {
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
    Wakeups::telling(notes, post.run())
}

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
                () = self.notes.to_tell() => {
                    // Others can do without a hint. After the next connection comes another one.
                    if self.nats.connected().is_ok() {
                        self.send(&self.me).await;
                    }
                    sleep(APART).await;
                }
                message = messages.next() => match message {
                    Some(message) if message.payload == self.me => {}
                    Some(_) => self.notes.hear(),
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
