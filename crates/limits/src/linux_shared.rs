//! Linux: limits on what all programs share, and who holds inotify watches.

use std::collections::HashSet;

use sys::{Error, Result};

use super::System;
use crate::resource::PORTS;
use crate::watches::{self, Holder};
use crate::{KernelLimit, shared};

impl System {
    /// A limit on what all programs share, and how much is in use.
    pub(super) fn shared(&self, name: &str) -> (Option<u64>, Option<u64>) {
        let listed = |table: &str, title: &str| {
            shared::objects(&self.read(&format!("proc/sysvipc/{table}")).ok()?, title)
        };
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let bytes = |pages: u64| pages.saturating_mul(page);
        let text = |path: &str| self.read(path).unwrap_or_default();
        match name {
            PORTS => {
                let Some(range) = self.port_range() else { return (None, None) };
                (Some(u64::from(range.1 - range.0) + 1), self.client_ports(range))
            }
            "net.netfilter.nf_conntrack_max" => {
                (self.setting(name), self.setting("net.netfilter.nf_conntrack_count"))
            }
            "net.ipv4.tcp_mem" => (
                shared::most_pages(&text("proc/sys/net/ipv4/tcp_mem")).map(bytes),
                shared::pages_of_tcp(&text("proc/net/sockstat")).map(bytes),
            ),
            "SEMMNI" | "SEMMNS" => {
                let limits = shared::semaphores(&text("proc/sys/kernel/sem"));
                let used = listed("sem", "nsems");
                match name {
                    "SEMMNI" => (limits.map(|(_, sets)| sets), used.map(|(sets, _)| sets)),
                    _ => (limits.map(|(all, _)| all), used.map(|(_, all)| all)),
                }
            }
            "kernel.shmmni" => (self.setting(name), listed("shm", "size").map(|used| used.0)),
            "kernel.shmall" => {
                let used = listed("shm", "size").map(|(_, bytes)| bytes.div_ceil(page));
                (self.setting(name), used)
            }
            "kernel.msgmni" => (self.setting(name), listed("msg", "qnum").map(|used| used.0)),
            _ => (None, None),
        }
    }

    /// What the rows do not hold.
    pub(crate) fn notes_on(&self, kernel: &[KernelLimit]) -> Option<String> {
        let shown = kernel.iter().any(|limit| limit.name == PORTS);
        let (first, last) = self.port_range().filter(|_| shown)?;
        Some(format!(
            "client ports are {first} to {last}; connections to different addresses may share one"
        ))
    }

    /// The processes that watch files, and how many may hide that they do.
    pub(crate) fn holders(&self) -> Result<(Vec<Holder>, u64)> {
        watches::holders(&self.root)
            .map_err(|error| Error::from_io("list the processes in /proc", error))
    }

    pub(super) fn port_range(&self) -> Option<(u16, u16)> {
        shared::port_range(&self.read("proc/sys/net/ipv4/ip_local_port_range").ok()?)
    }

    /// Ports of the range that some socket is bound to, each once.
    fn client_ports(&self, range: (u16, u16)) -> Option<u64> {
        let mut ports = HashSet::new();
        shared::local_ports(&self.read("proc/net/tcp").ok()?, range, &mut ports);
        // A kernel without IPv6 has no such file.
        shared::local_ports(&self.read("proc/net/tcp6").unwrap_or_default(), range, &mut ports);
        u64::try_from(ports.len()).ok()
    }
}
