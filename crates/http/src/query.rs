//! Query parameters and path parameters: typed, validated, none unknown.

use std::str::FromStr;

use actix_web::HttpRequest;
use serde::de::DeserializeOwned;
use uuid::Uuid;
use validator::{Validate, ValidationErrors};

use crate::{Fault, Problem, body};

/// Reads the query of a request into a type.
pub(crate) fn read<T: DeserializeOwned + Validate>(request: &HttpRequest) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    let query: T = serde_path_to_error::deserialize(deserializer)
        .map_err(|error| body::mistyped(&error, "/query"))?;
    query
        .validate()
        .map_err(|errors| Problem::invalid(faults(&errors)))?;
    Ok(query)
}

/// The faults that validation found. It knows parameters such as `filter[label]` by the names of
/// their fields, as `filter_label`.
fn faults(errors: &ValidationErrors) -> Vec<Fault> {
    let mut faults = body::faults(errors, "/query");
    for fault in &mut faults {
        if let Some(name) = fault.pointer.strip_prefix("/query/filter_") {
            fault.pointer = format!("/query/filter[{name}]");
        }
    }
    faults
}

/// A value that a path parameter can have.
pub trait PathValue: Sized {
    /// Reads the value, or says what it must be.
    fn read(text: &str) -> Result<Self, &'static str>;
}

impl PathValue for Uuid {
    fn read(text: &str) -> Result<Self, &'static str> {
        match Self::from_str(text) {
            Ok(id) if text.len() == 36 => Ok(id),
            _ => Err("must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057"),
        }
    }
}

impl PathValue for String {
    fn read(text: &str) -> Result<Self, &'static str> {
        Ok(text.to_owned())
    }
}

/// Reads a path parameter.
pub(crate) fn path<T: PathValue>(request: &HttpRequest, name: &str) -> Result<T, Problem> {
    let text = request.match_info().query(name);
    T::read(text).map_err(|detail| Problem::fault(format!("/path/{name}"), detail))
}
