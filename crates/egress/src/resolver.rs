//! Names, and which of their addresses may be connected to.

use std::{
    error, fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Name, Resolve, Resolving};
use tokio::net::lookup_host;

use crate::{Kind, Rule, address::not_public};

/// A look-up under way.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name.
pub trait Lookup: Send + Sync + 'static {
    /// The addresses of a name, the best first. None is as good as an error.
    fn lookup(&self, name: &str) -> Looking;
}

/// Asks the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let found = lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Why an address may not be connected to; nothing for one that may.
pub(crate) fn refusal(rules: &[Rule], address: IpAddr) -> Option<Kind> {
    let kind = not_public(address)?;
    let opened = rules.iter().any(|rule| rule.opens_address(address));
    (!opened).then_some(kind)
}

/// What the connections are made by: it answers with addresses that were judged, and they are
/// what is connected to.
pub(crate) struct Guard {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) rules: Arc<[Rule]>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.lookup(name.as_str());
        let rules = Arc::clone(&self.rules);
        Box::pin(async move {
            let found = found.await.map_err(|_| Unresolved::NoAddress)?;
            let allowed = judge(&rules, name.as_str(), &found)?;
            // The port is the URL's own.
            let addresses = allowed.into_iter().map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as _)
        })
    }
}

/// Those of the addresses of a name that may be connected to.
fn judge(rules: &[Rule], name: &str, found: &[IpAddr]) -> Result<Vec<IpAddr>, Unresolved> {
    if rules.iter().any(|rule| rule.opens_host(name)) {
        return Ok(found.to_vec());
    }
    let mut first = None;
    let mut allowed = Vec::new();
    for &address in found {
        match refusal(rules, address) {
            None => allowed.push(address),
            Some(kind) => first = first.or(Some(kind)),
        }
    }
    match (allowed.is_empty(), first) {
        (false, _) => Ok(allowed),
        (true, Some(kind)) => Err(Unresolved::Refused(kind)),
        (true, None) => Err(Unresolved::NoAddress),
    }
}

/// Why a name is of no use. It travels inside the HTTP library's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// It has no address.
    NoAddress,
    /// None of its addresses may be connected to.
    Refused(Kind),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no address"),
            Self::Refused(kind) => write!(f, "the address is {kind}"),
        }
    }
}

impl error::Error for Unresolved {}

impl Unresolved {
    /// Finds itself among the causes of an error.
    pub(crate) fn within(error: &(dyn error::Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            cause = error.source();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rules: &[&str], found: &[&str]) -> Result<Vec<String>, Unresolved> {
        let rules: Vec<Rule> = rules.iter().map(|r| r.parse().expect(r)).collect();
        let found: Vec<IpAddr> = found.iter().map(|a| a.parse().expect(a)).collect();
        let allowed = judge(&rules, "name.example", &found)?;
        Ok(allowed.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keeps_what_is_public_or_opened() {
        let mixed = ["127.0.0.1", "8.8.8.8", "::1", "10.0.0.1"];
        assert_eq!(judged(&[], &mixed), Ok(vec!["8.8.8.8".to_owned()]));
        let opened = judged(&["10.0.0.0/8"], &mixed);
        assert_eq!(
            opened,
            Ok(vec!["8.8.8.8".to_owned(), "10.0.0.1".to_owned()])
        );
        assert_eq!(
            judged(&["name.example"], &mixed).map(|all| all.len()),
            Ok(4)
        );
    }

    #[test]
    fn says_what_is_wrong_when_nothing_is_left() {
        assert_eq!(judged(&[], &[]), Err(Unresolved::NoAddress));
        let private = judged(&["other.example"], &["10.0.0.1", "::1"]);
        assert_eq!(private, Err(Unresolved::Refused(Kind::Private)));
    }
}
