//! The suite of the port, and what is a bucket's own affair.

use std::time::{Duration, SystemTime};

use archesai_conformance::{blobs::suite, tls_proxy::TlsProxy};
use archesai_content::ports::Blobs as _;
use archesai_storage::{Blobs, Error, S3Settings};

use crate::scratch::{at, clear, drain, put, server, settings};

#[tokio::test]
async fn a_bucket_keeps_the_promises() {
    let settings = settings();
    suite(&Blobs::on_s3(&settings).unwrap()).await;
    clear(&settings).await;
}

#[tokio::test]
async fn a_prefix_is_a_store_of_its_own() {
    let here = settings();
    let below = S3Settings {
        url: format!("{}/below/", here.url),
        ..here.clone()
    };
    let (here, below) = (Blobs::on_s3(&here).unwrap(), Blobs::on_s3(&below).unwrap());
    put(&below, "org/object", 1).await.unwrap();
    assert!(here.open("org/object", None).await.is_err());
    let reader = here.open("below/org/object", None).await.unwrap();
    assert_eq!(drain(reader).await.unwrap(), 1 << 20);
    assert_eq!(below.sweep(SystemTime::UNIX_EPOCH).await.unwrap(), 0);
    assert_eq!(below.root(), None);
    below.delete("org/object").await.unwrap();
}

#[tokio::test]
async fn a_check_tells_what_is_wrong_in_a_line() {
    let right = settings();
    Blobs::on_s3(&right).unwrap().check().await.unwrap();
    let check = async |settings: &S3Settings| {
        let error = Blobs::on_s3(settings).unwrap().check().await.unwrap_err();
        assert!(!error.to_string().contains('\n'));
        error
    };
    let elsewhere = S3Settings {
        url: "s3://nobody-has-this-bucket/prefix".to_owned(),
        ..right.clone()
    };
    let error = check(&elsewhere).await;
    assert!(matches!(error, Error::NoBucket(_)), "{error:?}");
    for wrong in [
        S3Settings {
            secret_access_key: "another".to_owned(),
            ..right.clone()
        },
        S3Settings {
            access_key_id: "somebody".to_owned(),
            ..right.clone()
        },
    ] {
        let error = check(&wrong).await;
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
    }
    let error = check(&at("127.0.0.1:1")).await;
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn whoever_has_the_address_can_read_and_write_for_some_time() {
    archesai_tls::install();
    #[expect(clippy::disallowed_methods, reason = "somebody outside the system")]
    let anybody = reqwest::Client::builder().no_proxy().build().unwrap();
    let blobs = Blobs::on_s3(&settings()).unwrap();
    let (key, hour) = ("org/signed", Duration::from_hours(1));
    let put = blobs.presign_put(key, hour).await.unwrap().unwrap();
    let get = blobs.presign_get(key, hour).await.unwrap().unwrap();
    let read = async |url: &str| anybody.get(url).send().await.unwrap();

    assert_eq!(read(&get).await.status(), 404);
    let sent = anybody.put(&put).body("bytes").send().await.unwrap();
    assert!(sent.status().is_success(), "{}", sent.status());
    let reader = blobs.open(key, None).await.unwrap();
    assert_eq!(drain(reader).await.unwrap(), 5);
    assert_eq!(read(&get).await.bytes().await.unwrap(), "bytes");
    // It is for this one thing, and this one object.
    assert_eq!(anybody.delete(&get).send().await.unwrap().status(), 403);
    let other = get.replace("signed", "other");
    assert_eq!(read(&other).await.status(), 403);

    let short = blobs.presign_get(key, Duration::from_secs(1)).await;
    let short = short.unwrap().unwrap();
    let mut polls = tokio::time::interval(Duration::from_millis(200));
    for _ in 0..50 {
        if read(&short).await.status() == 403 {
            break;
        }
        polls.tick().await;
    }
    assert_eq!(read(&short).await.status(), 403);
    assert!(blobs.presign_get("../x", hour).await.is_err());
    blobs.delete(key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_that_somebody_vouches_for_is_talked_to() {
    let proxy = TlsProxy::start(server()).await;
    let check = async |host: &str, is_known: bool| {
        let settings = S3Settings {
            endpoint: Some(format!("https://{host}:{}", proxy.port())),
            root_certificates: is_known.then(|| proxy.authority().to_owned()),
            ..settings()
        };
        Blobs::on_s3(&settings).unwrap().check().await
    };
    check("localhost", true).await.unwrap();
    check("localhost", false).await.unwrap_err();
    check("127.0.0.1", true).await.unwrap_err();
}
