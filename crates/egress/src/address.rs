//! Which addresses are public.
//!
//! The ranges are those of the IANA special-purpose address registries (RFC 6890 and
//! its successors) that are not globally reachable, and the ones by which an IPv6 address stands
//! for an IPv4 address, since such an address may mean any of the former.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This machine.
    Loopback,
    /// A network of somebody's own (RFC 1918, RFC 4193).
    Private,
    /// The network this machine is in, where clouds have their metadata (RFC 3927, RFC 4291).
    LinkLocal,
    /// Between a carrier and its customers (RFC 6598).
    Shared,
    /// Many machines.
    Multicast,
    /// None, which many systems take for this machine.
    Unspecified,
    /// Examples (RFC 5737, RFC 3849, RFC 9637).
    Documentation,
    /// IPv6 that stands for an IPv4 address (RFC 4291, RFC 6052, RFC 3056, RFC 4380, RFC 5214).
    Embedded,
    /// The host of a virtual machine.
    Metadata,
    /// Not assigned, or for a protocol.
    Reserved,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Shared => "of a carrier's network",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Documentation => "for documentation",
            Self::Embedded => "IPv6 that stands for IPv4",
            Self::Metadata => "of a cloud's metadata",
            Self::Reserved => "reserved",
        })
    }
}

/// Why an address is not public; nothing for one that is.
pub(crate) fn not_public(address: IpAddr) -> Option<Kind> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<Kind> {
    Some(match address.octets() {
        [0, 0, 0, 0] => Kind::Unspecified,
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [169, 254, ..] => Kind::LinkLocal,
        [100, 64..=127, ..] => Kind::Shared,
        [224..=239, ..] => Kind::Multicast,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Documentation,
        // Azure's, which is in a public range and the same for every machine.
        [168, 63, 129, 16] => Kind::Metadata,
        // This network, protocol assignments (with Oracle's metadata), the relays of 6to4,
        // benchmarks, and the former class E with the broadcast address.
        [0 | 240..=255, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => {
            Kind::Reserved
        }
        _ => return None,
    })
}

fn not_public_v6(address: Ipv6Addr) -> Option<Kind> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        // Compatible, mapped and translated; NAT64 of both kinds; Teredo; 6to4; ISATAP.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0x2001, 0, ..]
        | [0x2002, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Kind::Embedded,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Documentation,
        [0xff00..=0xffff, ..] => Kind::Multicast,
        [0xfe80..=0xfebf, ..] => Kind::LinkLocal,
        // Unique local, and the site-local that came before.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Kind::Private,
        // Protocol assignments.
        [0x2001, 0..=0x1ff, ..] => Kind::Reserved,
        // The rest of what is assigned to be global unicast.
        [0x2000..=0x3fff, ..] => return None,
        _ => Kind::Reserved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(address: &str) -> Option<Kind> {
        not_public(address.parse().expect(address))
    }

    #[test]
    fn public_addresses_pass() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert_eq!(kind(address), None, "{address}");
        }
    }

    #[test]
    fn everything_else_does_not() {
        for (address, expected) in [
            ("0.0.0.0", Kind::Unspecified),
            ("0.1.2.3", Kind::Reserved),
            ("10.0.0.1", Kind::Private),
            ("100.64.0.1", Kind::Shared),
            ("100.100.100.200", Kind::Shared),
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.254", Kind::Loopback),
            ("168.63.129.16", Kind::Metadata),
            ("169.254.169.254", Kind::LinkLocal),
            ("169.254.170.2", Kind::LinkLocal),
            ("172.16.0.1", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("192.0.0.192", Kind::Reserved),
            ("192.0.2.1", Kind::Documentation),
            ("192.88.99.1", Kind::Reserved),
            ("192.168.1.1", Kind::Private),
            ("198.18.0.1", Kind::Reserved),
            ("198.51.100.1", Kind::Documentation),
            ("203.0.113.1", Kind::Documentation),
            ("224.0.0.1", Kind::Multicast),
            ("239.255.255.255", Kind::Multicast),
            ("240.0.0.1", Kind::Reserved),
            ("255.255.255.255", Kind::Reserved),
            ("::", Kind::Unspecified),
            ("::1", Kind::Loopback),
            ("::7f00:1", Kind::Embedded),
            ("::ffff:127.0.0.1", Kind::Embedded),
            ("::ffff:8.8.8.8", Kind::Embedded),
            ("::ffff:0:127.0.0.1", Kind::Embedded),
            ("64:ff9b::7f00:1", Kind::Embedded),
            ("64:ff9b:1::a00:1", Kind::Embedded),
            ("2001::1", Kind::Embedded),
            ("2002:7f00:1::", Kind::Embedded),
            ("2a00:1450::5efe:a00:1", Kind::Embedded),
            ("2a00:1450::200:5efe:a00:1", Kind::Embedded),
            ("2001:db8::1", Kind::Documentation),
            ("3fff::1", Kind::Documentation),
            ("3fff:fff::1", Kind::Documentation),
            ("2001:20::1", Kind::Reserved),
            ("100::1", Kind::Reserved),
            ("4000::1", Kind::Reserved),
            ("5f00::1", Kind::Reserved),
            ("fc00::1", Kind::Private),
            ("fd00:ec2::254", Kind::Private),
            ("fe80::1", Kind::LinkLocal),
            ("febf::1", Kind::LinkLocal),
            ("fec0::1", Kind::Private),
            ("ff02::1", Kind::Multicast),
        ] {
            assert_eq!(kind(address), Some(expected), "{address}");
        }
    }
}
