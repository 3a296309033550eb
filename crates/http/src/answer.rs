//! Answers: what a use case gives, as an HTTP response.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use serde::{Deserialize, Serialize};

use crate::{Problem, condition};

/// A value with the version of the entity behind it, which its `ETag` is made from.
#[derive(Clone, Debug)]
pub struct Versioned<T> {
    /// The entity's version.
    pub version: u64,
    /// The value.
    pub value: T,
}

/// A new entity with its version, and the path it is read at.
#[derive(Clone, Debug)]
pub struct Created<T> {
    /// What `Location` says.
    pub location: String,
    /// The entity.
    pub entity: Versioned<T>,
}

/// What a use case gives. Kept apart from the response so that an idempotent
/// request can get it a second time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Given {
    etag: Option<String>,
    location: Option<String>,
    body: String,
}

/// A value that can be answered.
pub trait Answer {
    /// The value as an answer.
    ///
    /// # Errors
    ///
    /// 500 if it cannot be written as JSON.
    fn give(&self) -> Result<Given, Problem>;
}

impl<T: Serialize> Answer for T {
    fn give(&self) -> Result<Given, Problem> {
        Ok(Given {
            etag: None,
            location: None,
            body: serde_json::to_string(self).map_err(Problem::internal)?,
        })
    }
}

impl<T: Serialize> Answer for Versioned<T> {
    fn give(&self) -> Result<Given, Problem> {
        Ok(Given {
            etag: Some(format!("\"{}\"", self.version)),
            ..self.value.give()?
        })
    }
}

impl<T: Serialize> Answer for Created<T> {
    fn give(&self) -> Result<Given, Problem> {
        Ok(Given {
            location: Some(self.location.clone()),
            ..self.entity.give()?
        })
    }
}

impl Given {
    /// The response to a request: 304 if the client has it already.
    ///
    /// # Errors
    ///
    /// 400 if the client says in a malformed way what it has.
    pub(crate) fn respond(
        self,
        request: &HttpRequest,
        status: StatusCode,
    ) -> Result<HttpResponse, Problem> {
        let mut response = HttpResponseBuilder::new(status);
        response.insert_header((header::CACHE_CONTROL, "private, no-cache"));
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(etag) = self.etag {
            let known = request.method().is_safe() && condition::is_known(request, &etag)?;
            response.insert_header((header::ETAG, etag));
            if known {
                return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
            }
        }
        Ok(response.content_type("application/json").body(self.body))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actix_web::{body::MessageBody, test::TestRequest};

    use super::*;

    #[test]
    fn what_cannot_be_written_is_a_fault_of_the_server() {
        // A JSON object has texts for keys.
        let problem = BTreeMap::from([((), 1)]).give().unwrap_err();
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(problem.cause().is_some(), "for the log");
    }

    #[test]
    fn null_is_an_answer_too() {
        let request = TestRequest::get().to_http_request();
        let given = None::<u8>.give().unwrap();
        let response = given.respond(&request, StatusCode::OK).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(&*response.into_body().try_into_bytes().unwrap(), b"null");
    }
}
