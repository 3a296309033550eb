//! The contract, for programs at `/openapi.json` and for people at `/docs`.

use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

const CONTRACT: &str = include_str!("../../../api-spec/openapi.gen.json");

/// Serves the contract.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.route("/openapi.json", web::get().to(contract));
    config.route("/docs", web::get().to(to_docs));
    config.service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")));
}

async fn contract() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(CONTRACT)
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header(("location", "/docs/"))
        .finish()
}
