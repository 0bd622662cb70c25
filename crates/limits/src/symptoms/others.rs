//! Messages about core dumps, the network and System V.

use super::{Symptom, Verdict};
use crate::errno::{EADDRNOTAVAIL, ENOMEM, ENOSPC};
use crate::matching::Piece::{Error, Words};
use crate::matching::says;

pub(super) static SYMPTOMS: &[Symptom] = &[
    Symptom {
        verdict: Verdict::Limits(&["core"]),
        patterns: &[
            says(Words("core dumps have been disabled")),
            says(Words("resource limits disable core dumping")),
            says(Words("core file size: cannot modify limit")),
            says(Words("core dump was truncated")),
        ],
        cause: "a crash leaves no core dump, or a part of it, where its size is limited",
        advice: Some(
            "where dumps go says kernel.core_pattern; coredumpctl lists those that systemd keeps",
        ),
        about: "",
        messages: &[
            "# Failed to write core dump. Core dumps have been disabled. To enable core dumping, try \"ulimit -c unlimited\" before starting Java again",
            "# No core dump will be written. Core dumps have been disabled.",
            "Resource limits disable core dumping for process 2230 (sleep).",
            "bash: ulimit: core file size: cannot modify limit: Operation not permitted",
        ],
        neighbours: &[
            "Segmentation fault (core dumped)",
            "systemd-coredump[12]: Process 7 (a.out) of user 0 dumped core.",
        ],
    },
    Symptom {
        verdict: Verdict::Other,
        patterns: &[
            says(Words("nf_conntrack: table full")),
            says(Words("ip_conntrack: table full")),
            says(Words("nf_conntrack: nf_conntrack: table full")),
        ],
        cause: "the kernel follows as many connections as net.netfilter.nf_conntrack_max allows, and drops packets of new ones",
        advice: Some(
            "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max shows both; sudo sysctl net.netfilter.nf_conntrack_max=262144 lifts it until the next reboot, a line in /etc/sysctl.d for good",
        ),
        about: "",
        messages: &[
            "kernel: nf_conntrack: table full, dropping packet",
            "kernel: nf_conntrack: nf_conntrack: table full, dropping packet",
        ],
        neighbours: &[
            "nf_conntrack version 0.5.0 (65536 buckets, 262144 max)",
            "kernel: hash table full of entries",
        ],
    },
    Symptom {
        verdict: Verdict::Unsure(&[]),
        patterns: &[says(Error(&EADDRNOTAVAIL))
            .and_any(&[
                Words("connect"),
                Words("connect()"),
                Words("connection"),
                Words("connecting"),
                Words("dial"),
            ])
            .without(&[
                Words("bind"),
                Words("bind()"),
                Words("listen"),
                Words("binding"),
                Words("listening"),
            ])],
        cause: "no local port was left for another connection to this peer (net.ipv4.ip_local_port_range), or no address of this machine reaches it",
        advice: Some(
            "ss -s decides: about as many connections in timewait and estab as there are ports in the range, and it is the ports; keep connections open, or widen the range with sudo sysctl net.ipv4.ip_local_port_range='1024 65535', until the next reboot",
        ),
        about: "",
        messages: &[
            "connect() to 10.0.0.7:8080 failed (99: Cannot assign requested address) while connecting to upstream",
            "Error: connect EADDRNOTAVAIL 127.0.0.1:5432 - Local (0.0.0.0:0)",
            "dial tcp 127.0.0.1:6379: connect: cannot assign requested address",
            "ConnectionError: HTTPConnectionPool: Failed to establish a new connection: [Errno 99] Cannot assign requested address",
        ],
        neighbours: &[
            "bind: Cannot assign requested address",
            "Error: listen EADDRNOTAVAIL: address not available 10.0.0.7:80",
            "nginx: [emerg] bind() to 10.0.0.7:80 failed (99: Cannot assign requested address)",
        ],
    },
    Symptom {
        verdict: Verdict::Other,
        patterns: &[
            says(Words("semget")).and(&[Error(&ENOSPC)]),
            says(Words("could not create semaphores")).and(&[Error(&ENOSPC)]),
            says(Words("failed system call was semget")),
        ],
        cause: "the System V semaphores are used up (kernel.sem); the disk is not full",
        advice: Some(
            "ipcs -ls shows the limits and ipcs -s what is there; ipcrm removes what a crash left",
        ),
        about: "",
        messages: &[
            "semget: No space left on device",
            "FATAL:  could not create semaphores: No space left on device",
            "DETAIL:  Failed system call was semget(5432001, 17, 03600).",
            "[emerg] (28)No space left on device: semget failed",
        ],
        neighbours: &["semget: File exists", "semget(2) - Linux manual page"],
    },
    Symptom {
        verdict: Verdict::Other,
        patterns: &[
            says(Words("shmget")).and_any(&[Error(&ENOSPC), Error(&ENOMEM)]),
            says(Words("failed system call was shmget")),
            says(Words("could not create shared memory segment"))
                .and_any(&[Error(&ENOSPC), Error(&ENOMEM)]),
        ],
        cause: "the System V shared memory is used up: kernel.shmmni segments, or kernel.shmall pages in all; neither /dev/shm nor the disk is full",
        advice: Some(
            "ipcs -lm shows the limits and ipcs -m what is there; ipcrm removes what a crash left",
        ),
        about: "",
        messages: &[
            "shmget: No space left on device",
            "DETAIL:  Failed system call was shmget(key=5432001, size=56, 03600).",
            "shmget failed: Cannot allocate memory",
        ],
        neighbours: &["shmget: Invalid argument", "shmget(2) - Linux manual page"],
    },
];
