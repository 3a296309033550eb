DROP TABLE idempotency_keys, leases, events;
DROP FUNCTION archesai_refuse, archesai_fence;
