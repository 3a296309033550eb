//! Metrics: told to those who may know them, and to nobody else.

use std::net::IpAddr;

use actix_web::{HttpRequest, http::header};
use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::Problem;

/// Writes down what was counted.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// Everything, in the text format of Prometheus.
    async fn render(&self) -> String;
}

/// Lets through whoever may know the metrics: with the token that is set for it,
/// or without one whoever asks on this very machine.
///
/// # Errors
///
/// 401 or 403
pub(crate) fn permit(request: &HttpRequest, token: Option<&str>) -> Result<(), Problem> {
    match token {
        Some(token) if !bears(request, token) => Err(Problem::unauthorized(
            "send `Authorization: Bearer` with the metrics_token of this server",
        )),
        None if !is_local(request) => Err(Problem::forbidden(
            "metrics are told on the server's own machine alone; set metrics_token to ask from \
             elsewhere",
        )),
        _ => Ok(()),
    }
}

/// Whether a request bears a token. Digests are compared, so that the time it
/// takes tells nothing of the token.
fn bears(request: &HttpRequest, token: &str) -> bool {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim());
    given.is_some_and(|given| Sha256::digest(given) == Sha256::digest(token))
}

/// Whether a request comes from this machine, and through no proxy on it.
fn is_local(request: &HttpRequest) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let forwarded = forwarded
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    !forwarded && peer.as_ref().is_some_and(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::{bears, is_local};

    #[test]
    fn local_is_who_comes_from_here_without_a_proxy() {
        for (peer, local) in [
            ("127.0.0.1:5", true),
            ("[::1]:5", true),
            ("[::ffff:127.0.0.1]:5", true),
            ("10.0.0.1:5", false),
            ("[2001:db8::1]:5", false),
        ] {
            let peer = peer.parse().unwrap();
            let direct = TestRequest::default().peer_addr(peer).to_http_request();
            assert_eq!(is_local(&direct), local, "{peer}");
            let proxied = TestRequest::default().peer_addr(peer);
            let proxied = proxied.insert_header(("x-forwarded-for", "127.0.0.1"));
            assert!(!is_local(&proxied.to_http_request()), "{peer}");
        }
    }

    #[test]
    fn a_token_is_the_whole_token() {
        for (given, good) in [
            ("Bearer secret", true),
            ("bearer  secret", true),
            ("Bearer secre", false),
            ("Basic secret", false),
            ("secret", false),
        ] {
            let request = TestRequest::default().insert_header(("authorization", given));
            assert_eq!(bears(&request.to_http_request(), "secret"), good, "{given}");
        }
    }
}
