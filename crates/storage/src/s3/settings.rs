//! Where the bucket is.

use std::fmt;

use object_store::path::Path;
use reqwest::Url;

use crate::{Error, Result, key};

/// Where the bucket is, and who may use it. The environment is not asked.
#[derive(Clone)]
pub struct S3Settings {
    /// `s3://bucket` or `s3://bucket/prefix`, below which everything is stored.
    pub url: String,
    /// Where the server is, such as `https://minio.example.com:9000`; Amazon's where there is none.
    /// Without encryption if it begins with `http://`.
    pub endpoint: Option<String>,
    /// The region of the bucket. Servers of one's own mostly do not care.
    pub region: String,
    /// Who we are.
    pub access_key_id: String,
    /// How we show that we are.
    pub secret_access_key: String,
    /// What comes with credentials that hold for some time only.
    pub session_token: Option<String>,
    /// Whether the bucket stands in the path of an address, and not before the name of the host.
    /// Without a word on it: if there is an endpoint.
    pub path_style: Option<bool>,
    /// The certificates (PEM) that vouch for the server, in place of those this machine trusts.
    pub root_certificates: Option<String>,
}

/// The same, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) prefix: Path,
    pub(crate) endpoint: Option<String>,
    pub(crate) is_path_style: bool,
    pub(crate) is_plain: bool,
}

impl S3Settings {
    /// A bucket of Amazon's, or with an endpoint, of somebody else's.
    pub fn new(
        url: impl Into<String>,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
    ) -> Self {
        Self {
            url: url.into(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            path_style: None,
            root_certificates: None,
        }
    }

    pub(crate) fn place(&self) -> Result<Place> {
        let fail = |reason: &str| Err(Error::Settings(reason.to_owned()));
        let Some(rest) = self.url.strip_prefix("s3://") else {
            return fail("its URL does not begin with `s3://`");
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(bucket) {
            return fail("after `s3://` comes no name of a bucket");
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let prefix = match prefix {
            "" => Path::default(),
            prefix => match key::parse(prefix) {
                Ok(prefix) => prefix,
                Err(_) => return fail("what follows the bucket is no prefix of keys"),
            },
        };
        if self.region.is_empty() {
            return fail("it has no region");
        }
        if self.access_key_id.is_empty() || self.secret_access_key.is_empty() {
            return fail("it needs an access key and its secret");
        }
        let endpoint = self.endpoint.as_deref().map(endpoint).transpose()?;
        Ok(Place {
            bucket: bucket.to_owned(),
            prefix,
            is_path_style: self.path_style.unwrap_or(endpoint.is_some()),
            is_plain: endpoint.as_ref().is_some_and(|url| url.scheme() == "http"),
            endpoint: endpoint.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        })
    }
}

/// What S3 calls buckets.
fn is_bucket(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| is_plain(b) || matches!(b, b'-' | b'.'))
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().next_back().is_some_and(is_plain)
}

fn endpoint(text: &str) -> Result<Url> {
    let fail = |reason: &str| Err(Error::Settings(format!("its endpoint {reason}")));
    let Ok(url) = Url::parse(text) else {
        return fail("is no URL");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return fail("begins with neither `http://` nor `https://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fail("holds credentials, which have their own settings");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return fail("has something after the path");
    }
    Ok(url)
}

impl fmt::Debug for S3Settings {
    /// Says where it is, and nothing of the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("url", &self.url)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str, endpoint: Option<&str>) -> S3Settings {
        S3Settings {
            endpoint: endpoint.map(str::to_owned),
            ..S3Settings::new(url, "id", "hidden")
        }
    }

    #[test]
    fn a_url_says_which_bucket_and_which_part_of_it() {
        let place = at("s3://bucket", None).place().unwrap();
        assert_eq!(
            (place.bucket.as_str(), place.prefix.as_ref()),
            ("bucket", "")
        );
        assert!(!place.is_path_style && !place.is_plain);
        let place = at("s3://my.bucket/a/b/", Some("http://localhost:9000/")).place();
        let place = place.unwrap();
        assert_eq!(
            (place.bucket.as_str(), place.prefix.as_ref()),
            ("my.bucket", "a/b")
        );
        assert_eq!(place.endpoint.as_deref(), Some("http://localhost:9000"));
        assert!(place.is_path_style && place.is_plain);
        let hosted = S3Settings {
            path_style: Some(false),
            ..at("s3://bucket", Some("https://s3.example.com"))
        };
        let place = hosted.place().unwrap();
        assert!(!place.is_path_style && !place.is_plain);
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        let nobody = S3Settings {
            access_key_id: String::new(),
            ..at("s3://bucket", None)
        };
        for (settings, reason) in [
            (at("https://bucket", None), "s3://"),
            (at("s3://", None), "name of a bucket"),
            (at("s3://Bucket", None), "name of a bucket"),
            (at("s3://-bucket", None), "name of a bucket"),
            (at("s3://bucket/../x", None), "prefix"),
            (at("s3://bucket", Some("localhost:9000")), "endpoint"),
            (at("s3://bucket", Some("nowhere")), "endpoint"),
            (at("s3://bucket", Some("http://a:hidden@b")), "credentials"),
            (at("s3://bucket", Some("http://b?c")), "endpoint"),
            (nobody, "access key"),
        ] {
            let refused = settings.place().unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
            let said = format!("{refused} {settings:?}");
            assert!(!said.contains("hidden"), "{said}");
        }
    }
}
