//! Messages about core dumps, the network and System V.

use super::{Symptom, Verdict};
use crate::errno::{EADDRNOTAVAIL, EINVAL, ENOMEM, ENOSPC};
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
        verdict: Verdict::Limits(&["net.netfilter.nf_conntrack_max"]),
        patterns: &[
            says(Words("nf_conntrack: table full")),
            says(Words("ip_conntrack: table full")),
            says(Words("nf_conntrack: nf_conntrack: table full")),
        ],
        cause: "the kernel tracks as many connections as it may, and drops packets of new ones",
        advice: Some(
            "shorter timeouts (sysctl net.netfilter | grep timeout) let connections that have ended go earlier",
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
        verdict: Verdict::Limits(&["net.ipv4.tcp_mem"]),
        patterns: &[says(Words("consider tuning tcp_mem"))],
        cause: "all TCP sockets together hold as much memory as they may",
        advice: None,
        about: "",
        messages: &["[ 9120.4] TCP: out of memory -- consider tuning tcp_mem"],
        neighbours: &[
            "net.ipv4.tcp_mem = 287901 383869 575802",
            "TCP: request_sock_TCP: Possible SYN flooding",
        ],
    },
    Symptom {
        verdict: Verdict::IfNear(
            &["net.ipv4.ip_local_port_range"],
            "no client port was left for another connection to this peer",
        ),
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
        cause: "whether no client port was left for another connection to this peer (net.ipv4.ip_local_port_range), or no address of this machine reaches it",
        advice: Some(
            "many connections to one peer that wait for their end (ss -tan state time-wait) use up the ports: keep connections open and use them again",
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
        verdict: Verdict::Limits(&["SEMMNI", "SEMMNS"]),
        patterns: &[
            says(Words("semget")).and(&[Error(&ENOSPC)]),
            says(Words("could not create semaphores")).and(&[Error(&ENOSPC)]),
            says(Words("failed system call was semget")),
        ],
        cause: "there are as many System V semaphores, or sets of them, as there may be (kernel.sem); the disk is not full",
        advice: Some("ipcs -s lists the sets, and ipcrm -s removes those that a crash left"),
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
        verdict: Verdict::Limits(&["kernel.shmmni", "kernel.shmall"]),
        patterns: &[
            says(Words("shmget")).and_any(&[Error(&ENOSPC), Error(&ENOMEM)]),
            says(Words("could not create shared memory segment"))
                .and_any(&[Error(&ENOSPC), Error(&ENOMEM)]),
        ],
        cause: "there are as many System V segments of shared memory, or pages in them, as there may be; neither /dev/shm nor the disk is full",
        advice: Some("ipcs -m lists the segments, and ipcrm -m removes those that a crash left"),
        about: "shmget",
        messages: &[
            "shmget: No space left on device",
            "FATAL:  could not create shared memory segment: No space left on device",
            "shmget failed: Cannot allocate memory",
        ],
        neighbours: &["shmget: Permission denied", "shmget(2) - Linux manual page"],
    },
    Symptom {
        verdict: Verdict::Limits(&["kernel.shmmax"]),
        patterns: &[says(Words("could not create shared memory segment")).and(&[Error(&EINVAL)])],
        cause: "the program asks for a System V segment of shared memory that is larger than one may be",
        advice: None,
        about: "shmget",
        messages: &["FATAL:  could not create shared memory segment: Invalid argument"],
        neighbours: &["shmget: Invalid argument"],
    },
    Symptom {
        verdict: Verdict::Unsure(&["kernel.shmmni", "kernel.shmall", "kernel.shmmax"]),
        patterns: &[says(Words("failed system call was shmget"))],
        cause: "which limit of System V shared memory was reached: on the number of segments, on the pages in all, or on the size of one",
        advice: Some(
            "the error in the line before decides: 'No space left on device' is kernel.shmmni or kernel.shmall, 'Invalid argument' is kernel.shmmax",
        ),
        about: "shmget",
        messages: &["DETAIL:  Failed system call was shmget(key=5432001, size=56, 03600)."],
        neighbours: &["shmget(2) - Linux manual page"],
    },
    Symptom {
        verdict: Verdict::Limits(&["kernel.msgmni"]),
        patterns: &[says(Words("msgget")).and(&[Error(&ENOSPC)])],
        cause: "there are as many System V message queues as there may be; the disk is not full",
        advice: Some("ipcs -q lists the queues, and ipcrm -q removes those that a crash left"),
        about: "",
        messages: &["msgget: No space left on device", "msgget failed: ENOSPC"],
        neighbours: &["msgget: File exists", "msgget(2) - Linux manual page"],
    },
];
