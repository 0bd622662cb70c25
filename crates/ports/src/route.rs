//! One question to the routing tables of Linux (rtnetlink(7)), as bytes:
//! does this machine deliver an address to itself?

use std::net::IpAddr;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
/// `RTN_LOCAL`: delivered here.
const LOCAL: u8 = 2;
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

/// Whether the answer is a route to this machine; an error means that no route
/// leads there. `None` for anything else.
pub(crate) fn is_local(answer: &[u8]) -> Option<bool> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    match kind {
        RTM_NEWROUTE => answer.get(HEADER + 7).map(|&kind| kind == LOCAL),
        NLMSG_ERROR => Some(false),
        _ => None,
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
        let answer = |kind: u16, route: u8| {
            let mut bytes = vec![0; HEADER + ROUTE];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[HEADER + 7] = route;
            bytes
        };
        assert_eq!(is_local(&answer(RTM_NEWROUTE, LOCAL)), Some(true));
        assert_eq!(is_local(&answer(RTM_NEWROUTE, 1)), Some(false));
        assert_eq!(is_local(&answer(NLMSG_ERROR, 0)), Some(false));
        assert_eq!(is_local(&answer(99, 0)), None);
        assert_eq!(is_local(&answer(RTM_NEWROUTE, 0)[..20]), None);
        assert_eq!(is_local(&[]), None);
    }
}
