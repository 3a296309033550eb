//! A bucket of S3, or of what speaks like it.

mod http;
mod settings;

use std::{fmt, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ObjectStore, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
    prefix::PrefixStore,
    signer::Signer,
};

pub(crate) use object_store::signer::Method;
pub use settings::S3Settings;

use self::http::Connector;
use crate::{Error, Result};

/// For how long what failed is tried again. The last try may take as long as one may, and all together
/// must stay below five seconds.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_millis(300),
        base: 2.0,
    },
    max_retries: 5,
    retry_timeout: Duration::from_secs(1),
};

/// How long the address holds by which a check is made.
const PROBE: Duration = Duration::from_mins(1);

/// A bucket, and the part of it that is ours. Cheap to clone.
#[derive(Clone)]
pub(crate) struct S3 {
    client: Arc<AmazonS3>,
    connector: Connector,
    bucket: String,
    prefix: Path,
}

impl S3 {
    pub(crate) fn new(settings: &S3Settings) -> Result<Self> {
        let place = settings.place()?;
        let connector = Connector::new(settings.root_certificates.as_deref())?;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(&settings.secret_access_key)
            .with_virtual_hosted_style_request(!place.is_path_style)
            .with_allow_http(place.is_plain)
            .with_retry(RETRIES)
            // Not every server knows how to delete many at once.
            .with_disable_bulk_delete(true)
            .with_http_connector(connector.clone());
        if let Some(token) = &settings.session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = place.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let client = builder.build();
        Ok(Self {
            client: Arc::new(client.map_err(|error| Error::Settings(error.to_string()))?),
            connector,
            bucket: place.bucket,
            prefix: place.prefix,
        })
    }

    /// What is ours of the bucket.
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        let prefix = self.prefix.clone();
        Arc::new(PrefixStore::new(Arc::clone(&self.client), prefix))
    }

    /// Whether the server answers, has the bucket, and lets us see what is in it. Without that, it would not
    /// say that an object does not exist.
    pub(crate) async fn check(&self) -> Result<()> {
        let bucket = Path::default();
        let url = self.client.signed_url(Method::HEAD, &bucket, PROBE).await;
        let url = url.map_err(Error::unavailable)?;
        let status = self.connector.head(url).await;
        let status = status.map_err(Error::unavailable)?;
        let said = || format!("it answers {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            301 | 307 | 400 => Err(Error::Settings(format!(
                "{}, which it does when the bucket is in another region",
                said()
            ))),
            401 | 403 => Err(Error::Refused(said().into())),
            404 => Err(Error::NoBucket(self.bucket.clone())),
            _ => Err(Error::unavailable(said())),
        }
    }

    /// An address under which anybody can do one thing to an object for some time.
    pub(crate) async fn presign(
        &self,
        method: Method,
        path: &Path,
        ttl: Duration,
    ) -> Result<String> {
        let url = self.client.signed_url(method, &self.path(path), ttl).await;
        Ok(url.map_err(Error::unavailable)?.into())
    }

    fn path(&self, path: &Path) -> Path {
        self.prefix.parts().chain(path.parts()).collect()
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
