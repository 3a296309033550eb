//! Limits and time limits of the API.

use std::time::Duration;

use archesai_platform::limits::Quota;

/// Limits and time limits of the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest JSON body, in bytes.
    pub max_json_bytes: usize,
    /// How deep JSON may nest.
    pub max_json_depth: usize,
    /// How long a client may take over a JSON body.
    pub body_timeout: Duration,
    /// How long a client may pause within an upload.
    pub idle_timeout: Duration,
    /// The largest uploaded file, in bytes.
    pub max_upload_bytes: u64,
    /// How many requests a caller may make.
    pub caller_quota: Quota,
    /// How many requests an address may make without a credential.
    pub guest_quota: Quota,
    /// Whether `X-Forwarded-For` is believed, as behind a proxy of one's own.
    pub trust_forwarded: bool,
    /// How often an idle event stream says that it is alive.
    pub stream_heartbeat: Duration,
    /// How soon an event stream looks for news that nobody told it of, such as
    /// lines of a log, and how often whether its caller still may watch. The longer
    /// nothing happens the less often it looks, down to the pace of the heartbeat.
    pub stream_poll: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_json_bytes: 16 << 20,
            max_json_depth: 64,
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            max_upload_bytes: 5 << 30,
            caller_quota: Quota {
                name: "caller",
                limit: 6_000_000,
                window: Duration::from_mins(1),
            },
            guest_quota: Quota {
                name: "guest",
                limit: 600,
                window: Duration::from_mins(1),
            },
            trust_forwarded: false,
            stream_heartbeat: Duration::from_secs(15),
            stream_poll: Duration::from_secs(1),
        }
    }
}
