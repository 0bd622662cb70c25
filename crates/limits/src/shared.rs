//! Parsers of Linux's files about what all programs share: client ports, System
//! V objects, the memory of TCP.

use std::collections::HashSet;

/// The two numbers of `net.ipv4.ip_local_port_range`.
pub(crate) fn port_range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first <= last).then_some((first, last))
}

/// Adds the local ports of a table such as `/proc/net/tcp` that are in a range.
/// One that waits for its end (TIME_WAIT) is in use.
pub(crate) fn local_ports(table: &str, range: (u16, u16), ports: &mut HashSet<u16>) {
    for line in table.lines().skip(1) {
        let local = line.split_whitespace().nth(1).and_then(|address| address.rsplit_once(':'));
        let port = local.and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        ports.extend(port.filter(|port| (range.0..=range.1).contains(port)));
    }
}

/// The limits in `kernel.sem`: semaphores of the system, and sets of them.
pub(crate) fn semaphores(text: &str) -> Option<(u64, u64)> {
    let numbers: Vec<u64> =
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    // SEMMSL, SEMMNS, SEMOPM and SEMMNI, as proc(5) has them.
    let [_, all, _, sets] = numbers[..] else { return None };
    Some((all, sets))
}

/// How many objects a table such as `/proc/sysvipc/sem` lists, and the sum of
/// the column with this title.
pub(crate) fn objects(table: &str, title: &str) -> Option<(u64, u64)> {
    let mut lines = table.lines();
    let column = lines.next()?.split_whitespace().position(|name| name == title)?;
    let (mut count, mut sum) = (0, 0_u64);
    for line in lines {
        count += 1;
        let number = line.split_whitespace().nth(column)?.parse::<u64>().ok()?;
        sum = sum.saturating_add(number);
    }
    Some((count, sum))
}

/// The last of the three numbers of `net.ipv4.tcp_mem`: in pages.
pub(crate) fn most_pages(text: &str) -> Option<u64> {
    text.split_whitespace().nth(2)?.parse().ok()
}

/// The pages that TCP holds, from `/proc/net/sockstat`.
pub(crate) fn pages_of_tcp(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn client_ports() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
             0: 0100007F:8000 00000000:0000 0A 0\n   1: 0100007F:8001 0100007F:1F90 06 0\n   \
             2: 0100007F:8001 0100007F:1F91 01 0\n   3: 0100007F:1F90 0100007F:8001 01 0\nbroken\n";
        let six = "  sl  local_address\n   0: 00000000000000000000000001000000:8002 0:0 01\n";
        let range = port_range("32768\t60999\n").expect("a range");
        let mut ports = HashSet::new();
        local_ports(table, range, &mut ports);
        local_ports(six, range, &mut ports);
        assert_eq!((range, ports.len()), ((32_768, 60_999), 3), "8001 counts once, 1F90 is below");
        assert_eq!(port_range("9 8"), None);
        assert_eq!(port_range(""), None);
    }

    #[test]
    fn system_v() {
        assert_eq!(semaphores("32000\t1024000000\t500\t32000\n"), Some((1_024_000_000, 32_000)));
        assert_eq!(semaphores("1 2 3"), None);
        let table =
            "   key      semid perms      nsems   uid\n  0  1  600  5  0\n  0  2  600  7  0\n";
        assert_eq!(objects(table, "nsems"), Some((2, 12)));
        assert_eq!(objects("   key      semid perms      nsems\n", "nsems"), Some((0, 0)));
        assert_eq!(objects(table, "size"), None);
    }

    #[test]
    fn memory_of_tcp() {
        assert_eq!(most_pages("287901\t383869\t575802\n"), Some(575_802));
        let text = "sockets: used 17\nTCP: inuse 1 orphan 0 tw 473 alloc 1 mem 102\nUDP: mem 9\n";
        assert_eq!(pages_of_tcp(text), Some(102));
        assert_eq!(pages_of_tcp("UDP: inuse 0 mem 0\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_makes_a_parser_panic(text in "(TCP: mem|nsems|[0-9:A-F \n\t])*") {
            port_range(&text);
            local_ports(&text, (0, u16::MAX), &mut HashSet::new());
            semaphores(&text);
            objects(&text, "nsems");
            most_pages(&text);
            pages_of_tcp(&text);
        }
    }
}
