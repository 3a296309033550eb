//! Which URLs may be followed, before anything is looked up.

use std::net::IpAddr;

use reqwest::{Url, header};

use crate::{Error, Result, Rule, resolver::refusal};

/// The longest URL in bytes: what RFC 9110, section 4.1, asks of everybody.
const MAX_URL: usize = 8000;

/// Parses a URL, of a request or of a redirect from `base`.
pub(crate) fn parse(text: &str, base: Option<&Url>) -> Result<Url> {
    if text.len() > MAX_URL {
        return Err(Error::url(format!("it is longer than {MAX_URL} bytes")));
    }
    let mut url = Url::options()
        .base_url(base)
        .parse(text)
        .map_err(|error| Error::url(error.to_string()))?;
    url.set_fragment(None);
    Ok(url)
}

/// Refuses what is not HTTP, has credentials, or names an address that is not open.
pub(crate) fn check(url: &Url, rules: &[Rule]) -> Result<()> {
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme();
        let reason = format!("its scheme is {scheme} rather than http or https");
        return Err(Error::url(reason));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let reason = "it has credentials in it; send them in a header";
        return Err(Error::url(reason));
    }
    if url.port() == Some(0) {
        return Err(Error::url("there is no port 0"));
    }
    match address(url)? {
        Some(address) => match refusal(rules, address) {
            Some(kind) => Err(Error::Address { address, kind }),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// The address in a URL; nothing where it has a name, which only looking it up can judge.
fn address(url: &Url) -> Result<Option<IpAddr>> {
    let host = url.host_str().ok_or_else(|| Error::url("it has no host"))?;
    let unbracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match unbracketed {
        Some(host) => match host.parse() {
            Ok(address) => Ok(Some(IpAddr::V6(address))),
            Err(_) => Err(Error::url("its host is not an address")),
        },
        None => Ok(host.parse().ok().map(IpAddr::V4)),
    }
}

/// Whether two URLs have the same origin (RFC 6454).
pub(crate) fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// Headers that say what is wanted and nothing about who wants it: the only ones that a
/// redirect may take to another origin. Keys come under many names.
pub(crate) fn is_harmless(name: &header::HeaderName) -> bool {
    [
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::ACCEPT_LANGUAGE,
        header::CONTENT_TYPE,
        header::RANGE,
        header::USER_AGENT,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Kind, address::not_public};

    /// A part of an address in one of the bases that browsers read.
    fn part(base: u8, number: u32) -> String {
        match base % 4 {
            0 => format!("{number}"),
            1 => format!("0{number:o}"),
            2 => format!("0x{number:x}"),
            _ => format!("0X{number:08X}"),
        }
    }

    /// An IPv4 address of one to four parts, the last of which has what is left.
    fn spelled(address: u32, bases: [u8; 4], parts: usize) -> String {
        let bytes = address.to_be_bytes();
        let leading = bytes[..parts - 1].iter().map(|byte| u32::from(*byte));
        let last = address & (u32::MAX >> (8 * (parts - 1)));
        let all = leading.chain([last]).zip(bases);
        let all: Vec<_> = all.map(|(number, base)| part(base, number)).collect();
        all.join(".")
    }

    proptest! {
        #[test]
        fn an_address_is_the_same_in_every_spelling(
            address: u32,
            known in prop::option::of(0..4_usize),
            bases: [u8; 4],
            parts in 1..=4_usize,
            dot: bool,
        ) {
            let known = known.map(|at| [0x7f00_0001, 0x0a00_0001, 0xa9fe_a9fe, 0x6440_0001][at]);
            let address = known.unwrap_or(address);
            let host = spelled(address, bases, parts);
            let dot = if dot { "." } else { "" };
            let answer = checked(&format!("http://{host}{dot}/"));
            let public = not_public(IpAddr::V4(address.into())).is_none();
            prop_assert_eq!(answer.is_ok(), public, "{}", host);
        }

        #[test]
        fn what_passes_is_a_name_or_public(text in "(http://)?[0-9a-fxX.:\\[\\]%@/\\\\①。]{0,40}") {
            if let Ok(url) = parse(&text, None)
                && check(&url, &[]).is_ok()
            {
                let address = address(&url)?;
                prop_assert_eq!(address.and_then(not_public), None, "{}", text);
            }
        }
    }

    fn checked(text: &str) -> Result<()> {
        check(&parse(text, None)?, &[])
    }

    #[test]
    fn every_spelling_of_an_address_is_seen_through() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://127.000.000.001/",
            "http://%31%32%37.0.0.1/",
            "http://１２７.０.０.１/",
            "http://①②⑦.⓪.⓪.①/",
            "http://127。0。0。1/",
            "http:\\\\127.0.0.1\\",
            "http:127.0.0.1",
            "  http://127.0.0.1/\n",
            "http://127.0\t.0.1/",
            "HTTP://127.0.0.1:8080/",
        ] {
            let answer = checked(url);
            let kind = match answer {
                Err(Error::Address { kind, .. }) => Some(kind),
                _ => None,
            };
            assert_eq!(kind, Some(Kind::Loopback), "{url}: {answer:?}");
        }
        for url in [
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::127.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:7f00:1::]/",
            "http://[64:ff9b:1::7f00:1]/",
            "http://[2a00::5efe:7f00:1]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://[::]/",
            "http://0/",
            "http://0.0.0.0/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://100.64.0.1/",
            "http://0.1.2.3/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://0xa9fea9fe/",
            "http://168.63.129.16/",
        ] {
            let answer = checked(url);
            assert!(
                matches!(answer, Err(Error::Address { .. })),
                "{url}: {answer:?}"
            );
        }
    }

    #[test]
    fn what_is_not_plain_http_is_refused() {
        let long = format!("http://a.example/{}", "a".repeat(MAX_URL));
        for url in [
            "",
            "a.example",
            "/path",
            "file:///etc/passwd",
            "ftp://a.example/",
            "gopher://a.example/",
            "data:text/plain,a",
            "unix:///run/docker.sock",
            "http://",
            "http:///",
            "http://u@a.example/",
            "http://u:p@a.example/",
            "http://:p@a.example/",
            "http://[fe80::1%25eth0]/",
            "http://[::1/",
            "http://a.example:99999/",
            "http://256.256.256.256/",
            "http://1.2.3.4.5/",
            "http://a.example:0/",
            &long,
        ] {
            let answer = checked(url);
            assert!(
                matches!(answer, Err(Error::Url { .. })),
                "{url}: {answer:?}"
            );
        }
    }

    #[test]
    fn names_and_public_addresses_go_on() {
        for url in [
            "http://a.example/",
            "https://a.example:8443/x?y#z",
            "http://8.8.8.8/",
            "http://[2606:4700::1111]/",
            "http://localhost/",
        ] {
            assert!(checked(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() -> Result<()> {
        let origin = parse("https://a.example/x", None)?;
        for (other, same) in [
            ("https://A.example:443/y?z", true),
            ("http://a.example/x", false),
            ("https://a.example:8443/x", false),
            ("https://b.a.example/x", false),
            ("https://a.example./x", false),
        ] {
            let other = parse(other, None)?;
            assert_eq!(same_origin(&origin, &other), same, "{other}");
        }
        Ok(())
    }
}
