//! Parameters of the kernel that are several numbers, of which one is lifted.

use super::Fix;
use crate::KernelLimit;
use crate::resource::PORTS;

/// So many objects of System V of a kind there can be at most (`IPCMNI` in ipc/util.h).
pub(super) const MOST_OBJECTS: u64 = 32_768;

/// A wider range of client ports, up to the last port; those below 1024 are privileged.
pub(super) fn lift_ports(now: u64, wanted: Option<u64>) -> Option<Fix> {
    const LAST: u64 = 65_535;
    const MOST: u64 = LAST - 1023;

    let count = wanted.unwrap_or(MOST);
    let value = format!("{} {LAST}", LAST + 1 - count.min(MOST));
    (count > now && count <= MOST).then_some(Fix::Sysctl { name: PORTS, value })
}

/// `kernel.sem` is SEMMSL, SEMMNS, SEMOPM and SEMMNI.
pub(super) fn lift_semaphores(limit: &KernelLimit, value: u64) -> Option<Fix> {
    let mut all = numbers("/proc/sys/kernel/sem")?;
    let (place, most) = if limit.name == "SEMMNI" { (3, MOST_OBJECTS) } else { (1, 1 << 30) };
    let value = value.min(most);
    *all.get_mut(place)? = value;
    (value > limit.value).then(|| Fix::Sysctl { name: "kernel.sem", value: spaced(&all) })
}

/// `net.ipv4.tcp_mem` is three numbers of pages, each larger than the one before.
pub(super) fn lift_tcp_memory(now: u64, value: u64) -> Option<Fix> {
    let times = value.div_ceil(now.max(1));
    let pages = numbers("/proc/sys/net/ipv4/tcp_mem")?;
    let pages: Vec<u64> = pages.into_iter().map(|pages| pages.saturating_mul(times)).collect();
    (times > 1).then(|| Fix::Sysctl { name: "net.ipv4.tcp_mem", value: spaced(&pages) })
}

pub(super) fn numbers(path: &str) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(path).ok()?;
    text.split_whitespace().map(|number| number.parse().ok()).collect()
}

fn spaced(numbers: &[u64]) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
}
