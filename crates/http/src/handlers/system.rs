//! The operations tagged `system`: what is asked of the server itself.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
    web,
};

use crate::{
    Check, Metrics, Problem, Readiness,
    call::Call,
    docs, exposition,
    generated::system::{self as api, SystemApi},
};

/// The media type of the text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4";

/// The operations tagged `system`.
pub struct System {
    /// Whether what the server depends on can be reached.
    pub readiness: Arc<dyn Readiness>,
    /// Writes down what was counted.
    pub metrics: Arc<dyn Metrics>,
    /// What the metrics are asked with; without it, they are told on this machine alone.
    pub metrics_token: Option<String>,
}

impl SystemApi for System {
    async fn get_health(&self, call: Call, _: web::Payload) -> Result<HttpResponse, Problem> {
        let status = "ok".to_owned();
        call.answer(StatusCode::OK, &api::Health { status })
    }

    async fn get_readiness(&self, _: Call, _: web::Payload) -> Result<HttpResponse, Problem> {
        let checks = self.readiness.check().await;
        let is_missing = |check: &Check| check.is_needed && check.fault.is_some();
        let status = if checks.iter().any(is_missing) {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        let line = |Check { name, fault, .. }: &Check| {
            format!("{name}: {}\n", fault.as_deref().unwrap_or("ok"))
        };
        let lines: String = checks.iter().map(line).collect();
        Ok(HttpResponse::build(status)
            .content_type("text/plain; charset=utf-8")
            .body(lines))
    }

    async fn get_metrics(&self, call: Call, _: web::Payload) -> Result<HttpResponse, Problem> {
        exposition::permit(call.request(), self.metrics_token.as_deref())?;
        Ok(HttpResponse::Ok()
            .content_type(METRICS)
            .body(self.metrics.render().await))
    }

    async fn get_contract(&self, _: Call, _: web::Payload) -> Result<HttpResponse, Problem> {
        Ok(HttpResponse::Ok()
            .content_type("application/json")
            .body(docs::CONTRACT))
    }

    async fn get_docs(&self, _: Call, _: web::Payload) -> Result<HttpResponse, Problem> {
        Ok(HttpResponse::PermanentRedirect()
            .insert_header((header::LOCATION, docs::PAGE))
            .finish())
    }
}
