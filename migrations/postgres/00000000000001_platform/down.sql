DROP TABLE idempotency_keys, leases, chains, events;
DROP FUNCTION archesai_trim_events, archesai_tend_events, archesai_refuse, archesai_fence;
DROP SCHEMA archesai_log;
