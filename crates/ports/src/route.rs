//! One question to the routing tables of Linux (rtnetlink(7)), as bytes: does
//! this machine deliver an address to itself, and which interface has it?

use std::net::IpAddr;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
/// `RTN_LOCAL`: delivered here.
const LOCAL: u8 = 2;
/// `RTM_F_FIB_MATCH`: the entry of the table, with the interface that has the
/// address, and not the route through loopback. Linux before 4.15 ignores it.
const FIB_MATCH: u32 = 0x2000;
/// Sizes of `nlmsghdr` and `rtmsg`.
const HEADER: usize = 16;
const ROUTE: usize = 12;

/// A request for the route to an address, out of an interface if one is given.
pub(crate) fn request(ip: IpAddr, interface: Option<u32>) -> Vec<u8> {
    let (family, octets) = match ip {
        IpAddr::V4(ip) => (2, ip.octets().to_vec()),
        IpAddr::V6(ip) => (10, ip.octets().to_vec()),
    };
    let bits = u8::try_from(octets.len() * 8).unwrap_or(u8::MAX);
    let mut body = vec![0; ROUTE];
    body[..2].copy_from_slice(&[family, bits]);
    body[8..].copy_from_slice(&FIB_MATCH.to_ne_bytes());
    let mut attribute = |kind: u16, value: &[u8]| {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        body.extend(length.to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(value);
    };
    attribute(RTA_DST, &octets);
    if let Some(index) = interface {
        attribute(RTA_OIF, &index.to_ne_bytes());
    }
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(RTM_GETROUTE.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]); // sequence, port id
    bytes.extend(body);
    bytes
}

/// What the routing tables say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// It is delivered here; with the index of the interface that has it.
    Local(Option<u32>),
    /// It leads elsewhere, or nowhere.
    Away,
}

/// Decodes the answer; `None` for bytes that are none.
pub(crate) fn answer(bytes: &[u8]) -> Option<Route> {
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    match (kind, bytes.get(HEADER + 7)) {
        (RTM_NEWROUTE, Some(&LOCAL)) => {
            Some(Route::Local(bytes.get(HEADER + ROUTE..).and_then(interface)))
        }
        (NLMSG_ERROR, _) | (RTM_NEWROUTE, Some(_)) => Some(Route::Away),
        _ => None,
    }
}

/// The value of `RTA_OIF` among attributes.
fn interface(mut bytes: &[u8]) -> Option<u32> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        if kind == RTA_OIF {
            return value.try_into().ok().map(u32::from_ne_bytes);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_states_its_own_length() {
        for (ip, interface, length) in
            [("127.0.0.1", None, 36), ("::1", None, 48), ("fe80::1", Some(3), 56)]
        {
            let bytes = request(ip.parse().expect("an address"), interface);
            assert_eq!(bytes.len(), length, "{ip}");
            assert_eq!(bytes[..4], u32::try_from(length).expect("short").to_ne_bytes(), "{ip}");
        }
    }

    #[test]
    fn answers_are_told_apart() {
        let message = |kind: u16, route: u8, attributes: &[u8]| {
            let mut bytes = vec![0; HEADER + ROUTE];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[HEADER + 7] = route;
            bytes.extend(attributes);
            bytes
        };
        let attributes = [8, 0, 1, 0, 127, 0, 0, 1, 8, 0, 4, 0, 3, 0, 0, 0];
        for (bytes, route) in [
            (message(RTM_NEWROUTE, LOCAL, &attributes), Some(Route::Local(Some(3)))),
            (message(RTM_NEWROUTE, LOCAL, &attributes[..9]), Some(Route::Local(None))),
            (message(RTM_NEWROUTE, LOCAL, &[0; 8]), Some(Route::Local(None))),
            (message(RTM_NEWROUTE, 1, &attributes), Some(Route::Away)),
            (message(NLMSG_ERROR, 0, &[]), Some(Route::Away)),
            (message(99, 0, &[]), None),
            (Vec::new(), None),
        ] {
            assert_eq!(answer(&bytes), route, "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = answer(&bytes);
        }
    }
}
