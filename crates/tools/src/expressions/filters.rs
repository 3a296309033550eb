//! What the engine does differently here: how values become text.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value as Engine};
use serde_json::Value;

use super::convert::Budget;

/// Deepest nesting of values that become text.
const DEPTH: usize = 128;

/// Installs the formatter and the filters that know the limit of `bytes`.
pub(super) fn install(environment: &mut Environment<'static>, bytes: usize) {
    environment.set_formatter(move |out, state, value| write(out, state, value, bytes));
    environment.add_filter(
        "tojson",
        move |state: &State, value: &Engine, options: Kwargs| {
            to_json(state, value, &options, bytes)
        },
    );
    environment.add_filter("string", move |state: &State, value: &Engine| {
        as_text(state, value, bytes)
    });
    environment.add_filter(
        "join",
        move |state: &State, items: &Engine, separator: Option<String>| {
            join(
                state,
                items,
                separator.as_deref().unwrap_or_default(),
                bytes,
            )
        },
    );
}

/// The items as text, one after the other. The engine's own filter leaves out items that are not defined.
fn join(state: &State, items: &Engine, separator: &str, bytes: usize) -> Result<String, Error> {
    if items.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let mut text = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        if index > 0 {
            text.push_str(separator);
        }
        if item.is_undefined() {
            let detail = format!("item {index} of what is joined is not defined");
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
        text.push_str(&as_text(state, &item, bytes)?);
        state.consume_fuel(1)?;
        if text.len() > bytes {
            let detail = format!("the result is larger than {bytes} bytes");
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
    }
    Ok(text)
}

/// Null is nothing, text is itself, everything else is JSON.
fn write(out: &mut Output, state: &State, value: &Engine, bytes: usize) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = as_text(state, value, bytes)?;
    out.write_str(&text).map_err(Error::from)
}

fn as_text(state: &State, value: &Engine, bytes: usize) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok(String::new()),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().to_owned()),
        _ => print(state, value, bytes, false),
    }
}

/// JSON as it is written for people and models; the engine's own filter escapes it for HTML.
fn to_json(state: &State, value: &Engine, options: &Kwargs, bytes: usize) -> Result<String, Error> {
    let indent: Option<Engine> = options.get("indent")?;
    options.assert_all_used()?;
    let pretty = indent.is_some_and(|indent| indent.is_true());
    print(state, value, bytes, pretty)
}

fn print(state: &State, value: &Engine, bytes: usize, pretty: bool) -> Result<String, Error> {
    let refuse = |detail: String| Error::new(ErrorKind::InvalidOperation, detail);
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let json: Value = Budget::new(bytes, DEPTH).json(value).map_err(refuse)?;
    let text = if pretty {
        serde_json::to_string_pretty(&json)
    } else {
        serde_json::to_string(&json)
    };
    let text = text.map_err(|error| refuse(error.to_string()))?;
    state.consume_fuel(text.len() as u64 / 16)?;
    Ok(text)
}
