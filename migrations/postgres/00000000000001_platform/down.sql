DROP TABLE idempotency_keys, events;
DROP FUNCTION archesai_refuse, archesai_fence;
