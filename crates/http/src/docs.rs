//! The contract, for programs and for people.

use actix_web::web;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The contract as it is served at `/openapi.json`.
pub(crate) const CONTRACT: &str = include_str!("../../../api-spec/openapi.gen.json");

/// Where people read it.
pub(crate) const PAGE: &str = "/docs/";

/// Serves the page and its parts.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")));
}
