//! Caches, rate limits, published events and wake-ups in Redis, for any number of nodes.
