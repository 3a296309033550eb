//! What an operator opens.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use reqwest::Url;

/// An exception to what is reachable: an address, a network in CIDR notation, or a
/// host name that may have any address.
///
/// A name stands for itself only, not for the names below it. An IPv4 network does not hold
/// the IPv6 spellings of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Target);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Network(IpNet),
    Host(String),
}

impl Rule {
    /// Whether it opens an address to everybody.
    pub(crate) fn opens_address(&self, address: IpAddr) -> bool {
        matches!(&self.0, Target::Network(network) if network.contains(&address))
    }

    /// Whether it opens what a name stands for.
    pub(crate) fn opens_host(&self, name: &str) -> bool {
        matches!(&self.0, Target::Host(host) if *host == plain(name))
    }
}

/// A name without the dot that ends an absolute one, in lower case.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(Self(Target::Network(network)));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(Target::Network(address.into())));
        }
        // As the URL of a request spells it, so that the two can be compared.
        let url = Url::parse(&format!("http://{text}/"));
        let host = url.as_ref().ok().and_then(Url::domain);
        match host {
            Some(host) if plain(host) == plain(text) || !text.is_ascii() => {
                Ok(Self(Target::Host(plain(host))))
            }
            _ => Err(format!(
                "`{text}` is not an address, a network such as 10.0.0.0/8, or a host name"
            )),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            Target::Network(network) => write!(f, "{network}"),
            Target::Host(host) => f.write_str(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Rule {
        text.parse().expect(text)
    }

    #[test]
    fn parses_and_shows() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1"),
            ("fd00::/8", "fd00::/8"),
            ("LocalHost.", "localhost"),
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(rule(text).to_string(), shown);
        }
        for text in [
            "",
            "a b",
            "10.0.0.0/33",
            "a:80",
            "u@a",
            "a/b",
            "http://a",
            "127.1",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn opens_exactly_what_it_says() {
        let address = |text: &str| text.parse::<IpAddr>().expect(text);
        assert!(rule("10.1.0.0/16").opens_address(address("10.1.2.3")));
        assert!(!rule("10.1.0.0/16").opens_address(address("10.2.0.1")));
        assert!(!rule("0.0.0.0/0").opens_address(address("::ffff:10.0.0.1")));
        assert!(rule("a.example").opens_host("A.example."));
        assert!(!rule("a.example").opens_host("b.a.example"));
        assert!(!rule("localhost").opens_address(address("127.0.0.1")));
        assert!(!rule("127.0.0.1").opens_host("127.0.0.1"));
    }
}
