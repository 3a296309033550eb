//! An event as a message: what happened is the body, as JSON, and what there is to know about it
//! stands in the headers, by the names that `CloudEvents` give such things in NATS.
//! (<https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/nats-protocol-binding.md>)

use std::{str::FromStr, time::SystemTime};

use archesai_platform::events::LoggedEvent;
use async_nats::{HeaderMap, HeaderValue, header::NATS_MESSAGE_ID};
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

/// The version of `CloudEvents`.
const SPECVERSION: &str = "1.0";

/// Says that the body did not fit, and must be read from the log.
const OMITTED: &str = "ce-omitted";

/// The headers of an event. `source` is the system it comes from.
pub(crate) fn headers(event: &LoggedEvent, source: &str) -> Result<HeaderMap, HeaderError> {
    let id = Uuid::from_u128(event.id).to_string();
    let aggregate = Uuid::from_u128(event.aggregate_id);
    let time = DateTime::<Utc>::from(event.occurred_at);
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: String| {
        let value = HeaderValue::from_str(&value).map_err(|_| HeaderError(name))?;
        headers.insert(name, value);
        Ok(())
    };
    put("content-type", "application/json".to_owned())?;
    put("ce-specversion", SPECVERSION.to_owned())?;
    put("ce-id", id.clone())?;
    put("ce-source", source.to_owned())?;
    put("ce-type", event.kind.clone())?;
    put(
        "ce-subject",
        format!("{}/{aggregate}", event.aggregate_kind),
    )?;
    put("ce-time", time.to_rfc3339_opts(SecondsFormat::AutoSi, true))?;
    put("ce-sequence", event.sequence.to_string())?;
    if let Some(organization) = event.organization_id {
        put("ce-organization", Uuid::from_u128(organization).to_string())?;
    }
    if let Some(actor) = event.actor_id {
        put("ce-actor", Uuid::from_u128(actor).to_string())?;
    }
    headers.insert(NATS_MESSAGE_ID, id);
    Ok(headers)
}

/// Marks headers as those of an event whose body does not fit into a message.
pub(crate) fn omit_body(headers: &mut HeaderMap) {
    headers.insert(OMITTED, "true");
}

/// The event of a message. Nothing, if it is not all there or not of our making.
pub(crate) fn event(headers: &HeaderMap, body: &[u8]) -> Option<LoggedEvent> {
    let get = |name: &str| headers.get(name).map(HeaderValue::as_str);
    if get(OMITTED).is_some() || get("ce-specversion")? != SPECVERSION {
        return None;
    }
    let optional = |name| match get(name) {
        None => Some(None),
        Some(text) => parse_id(text).map(Some),
    };
    let (aggregate_kind, aggregate_id) = get("ce-subject")?.rsplit_once('/')?;
    Some(LoggedEvent {
        sequence: i64::from_str(get("ce-sequence")?).ok()?,
        id: parse_id(get("ce-id")?)?,
        organization_id: optional("ce-organization")?,
        actor_id: optional("ce-actor")?,
        aggregate_kind: aggregate_kind.to_owned(),
        aggregate_id: parse_id(aggregate_id)?,
        kind: get("ce-type")?.to_owned(),
        payload: String::from_utf8(body.to_vec()).ok()?,
        occurred_at: parse_time(get("ce-time")?)?,
    })
}

fn parse_id(text: &str) -> Option<u128> {
    Uuid::from_str(text).ok().map(|id| id.as_u128())
}

fn parse_time(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(SystemTime::from)
}

/// That a part of an event cannot stand in a header.
#[derive(Debug)]
pub(crate) struct HeaderError(&'static str);

impl std::fmt::Display for HeaderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "what the header `{}` would say has a line break", self.0)
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn an_event() -> LoggedEvent {
        LoggedEvent {
            sequence: i64::MAX,
            id: u128::MAX - 1,
            organization_id: Some(7),
            actor_id: None,
            aggregate_kind: "api_key".to_owned(),
            aggregate_id: 9,
            kind: "api_key.created".to_owned(),
            payload: r#"{"type":"api_key.created","text":"Zoë\u0000"}"#.to_owned(),
            occurred_at: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
        }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let event = an_event();
        let headers = headers(&event, "archesai").unwrap();
        assert_eq!(
            super::event(&headers, event.payload.as_bytes()),
            Some(event)
        );
    }

    #[test]
    fn what_is_not_all_there_is_no_event() {
        let event = an_event();
        let whole = headers(&event, "archesai").unwrap();
        let body = event.payload.as_bytes();
        assert_eq!(super::event(&HeaderMap::new(), body), None);
        assert_eq!(super::event(&whole, b"\xff"), None);
        for (name, value) in [
            ("ce-id", "7"),
            ("ce-subject", "run"),
            ("ce-time", "now"),
            ("ce-sequence", "x"),
            ("ce-organization", ""),
            ("ce-specversion", "2.0"),
        ] {
            let mut broken = whole.clone();
            broken.insert(name, value);
            assert_eq!(super::event(&broken, body), None, "{name}");
        }
        let mut omitted = whole;
        omit_body(&mut omitted);
        assert_eq!(super::event(&omitted, b""), None);
    }

    #[test]
    fn a_line_break_does_not_reach_the_headers() {
        let event = LoggedEvent {
            kind: "a\r\nb".to_owned(),
            ..an_event()
        };
        assert!(headers(&event, "archesai").is_err());
    }
}
