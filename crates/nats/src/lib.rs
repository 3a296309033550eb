//! Published events and wake-ups by NATS with JetStream, for any number of nodes.
