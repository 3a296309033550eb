//! Preconditions: which version of a thing a request is about (RFC 9110, section 13.1).

use actix_web::{
    HttpRequest,
    http::{
        StatusCode,
        header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
    },
};

use crate::Problem;

/// The tags that a header lists.
enum Tags {
    /// `*`: whatever there is.
    Any,
    /// Each with whether it is weak.
    Listed(Vec<(bool, String)>),
}

/// The versions in `If-Match`, one of which a change must find; `None` where any will do.
/// A weak tag and one that this API never gave name no version.
///
/// # Errors
///
/// 400 if the header is malformed.
pub(crate) fn expected(request: &HttpRequest) -> Result<Option<Vec<u64>>, Problem> {
    let Some(Tags::Listed(tags)) = tags(request, &IF_MATCH)? else {
        return Ok(None);
    };
    let strong = tags.into_iter().filter(|(weak, _)| !weak);
    Ok(Some(
        strong.filter_map(|(_, tag)| tag.parse().ok()).collect(),
    ))
}

/// Whether the client has a representation already, by what it says in `If-None-Match`.
/// Here weak tags are as good as strong ones.
///
/// # Errors
///
/// 400 if the header is malformed.
pub(crate) fn is_known(request: &HttpRequest, etag: &str) -> Result<bool, Problem> {
    let opaque = etag.trim_matches('"');
    Ok(match tags(request, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::Listed(tags)) => tags.iter().any(|(_, tag)| tag == opaque),
    })
}

/// Reads a header that lists entity tags; `None` where there is none.
fn tags(request: &HttpRequest, name: &HeaderName) -> Result<Option<Tags>, Problem> {
    // A header that is there several times is one list (RFC 9110, section 5.3).
    let values = request.headers().get_all(name);
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    if values.is_empty() {
        return Ok(None);
    }
    let text = values.join(",");
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let tags = listed(&text).ok_or_else(|| {
        Problem::with_detail(
            StatusCode::BAD_REQUEST,
            format_args!("`{name}` must be `*` or a list of entity tags such as `\"1\"`"),
        )
    })?;
    Ok(Some(Tags::Listed(tags)))
}

/// Reads a list of entity tags (RFC 9110, section 8.8.3); a comma may be part of one.
fn listed(mut rest: &str) -> Option<Vec<(bool, String)>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(tags);
        }
        let quoted = rest.strip_prefix("W/");
        let weak = quoted.is_some();
        let (tag, after) = quoted.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        if tag.contains([' ', '\t']) {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        tags.push((weak, tag.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(name: &HeaderName, values: &[&str]) -> HttpRequest {
        let mut request = TestRequest::get();
        for value in values {
            request = request.append_header((name.clone(), *value));
        }
        request.to_http_request()
    }

    fn known(values: &[&str], etag: &str) -> Option<bool> {
        is_known(&request(&IF_NONE_MATCH, values), etag).ok()
    }

    #[test]
    fn a_change_may_expect_any_of_several_versions() {
        let expected = |values: &[&str]| expected(&request(&IF_MATCH, values)).unwrap();
        assert_eq!(expected(&[]), None);
        assert_eq!(expected(&["*"]), None);
        assert_eq!(expected(&["\"7\""]), Some(vec![7]));
        assert_eq!(expected(&["\"7\" ,, \"8\"", "\"9\""]), Some(vec![7, 8, 9]));
        assert_eq!(expected(&["\"7,8\",\"9\""]), Some(vec![9]));
    }

    #[test]
    fn weak_tags_and_those_of_others_are_no_version() {
        let expected = |value| expected(&request(&IF_MATCH, &[value])).unwrap();
        assert_eq!(expected("W/\"7\""), Some(vec![]));
        assert_eq!(expected("W/\"7\", \"8\""), Some(vec![8]));
        assert_eq!(expected("\"abc\""), Some(vec![]));
        assert_eq!(expected("\"\""), Some(vec![]));
    }

    #[test]
    fn what_the_client_has_may_be_weak_or_one_of_several() {
        assert_eq!(known(&[], "\"7\""), Some(false));
        assert_eq!(known(&["*"], "\"7\""), Some(true));
        assert_eq!(known(&["\"6\", W/\"7\""], "\"7\""), Some(true));
        assert_eq!(known(&["\"6\"", "\"7\""], "\"7\""), Some(true));
        assert_eq!(known(&["\"6\",\"77\""], "\"7\""), Some(false));
        assert_eq!(known(&["\"a,\", \"b\""], "\"b\""), Some(true));
    }

    #[test]
    fn a_malformed_list_is_a_bad_request() {
        for value in [
            "",
            ",",
            "7",
            "\"7",
            "7\"",
            "w/\"7\"",
            "W/7",
            "\"7\" \"8\"",
            "\"7\"8",
            "*, \"7\"",
            "\"7 8\"",
            "W/ \"7\"",
        ] {
            assert_eq!(known(&[value], "\"7\""), None, "{value:?}");
            let refused = expected(&request(&IF_MATCH, &[value])).unwrap_err();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{value:?}");
        }
    }
}
