DROP TABLE idempotency_keys; DROP TABLE chains; DROP TABLE events;
