//! Messages about processes, threads, signals and scheduling.

use super::{Symptom, Verdict};
use crate::errno::{EACCES, EAGAIN, EPERM};
use crate::matching::Piece::{Begin, Error, Text, Words};
use crate::matching::says;

const PROCESSES: &[&str] = if cfg!(target_os = "macos") {
    &["nproc", "kern.maxproc"]
} else {
    &["pids.max", "nproc", "kernel.threads-max", "kernel.pid_max"]
};

pub(super) static SYMPTOMS: &[Symptom] = &[
    Symptom {
        verdict: Verdict::Limits(&["pids.max"]),
        patterns: &[says(Words("fork rejected by pids controller"))],
        cause: "the cgroup has as many processes and threads as it may",
        advice: None,
        about: "processes",
        messages: &[
            "kernel: cgroup: fork rejected by pids controller in /user.slice/user-1000.slice",
        ],
        neighbours: &[
            "kernel: cgroup: pids controller enabled",
            "request rejected by admission controller",
        ],
    },
    Symptom {
        verdict: Verdict::Limits(&["sigpending"]),
        patterns: &[
            says(Words("timer_create")).and(&[Error(&EAGAIN)]),
            says(Words("sigqueue")).and(&[Error(&EAGAIN)]),
        ],
        cause: "this user has as many timers and queued signals as one may have",
        advice: None,
        about: "",
        messages: &[
            "timer_create: Resource temporarily unavailable",
            "sigqueue: Resource temporarily unavailable",
        ],
        neighbours: &["timer_create: Invalid argument", "read: Resource temporarily unavailable"],
    },
    Symptom {
        verdict: Verdict::Limits(PROCESSES),
        patterns: &[
            says(Error(&EAGAIN))
                .and_any(&[
                    Words("fork"),
                    Words("os.fork()"),
                    Words("vfork"),
                    Words("posix_spawn"),
                    Words("pthread_create"),
                    Words("pthread_create()"),
                    Words("clone"),
                    Words("clone()"),
                    Words("thread creation failed"),
                    Words("spawn thread"),
                    Words("create thread"),
                    Words("spawn"),
                    Words("create child process"),
                ])
                .without(&[Words("recv"), Words("read"), Words("accept")]),
            says(Words("fork: retry")).and_any(&[Words("no child processes")]),
            says(Words("can't start new thread")),
            says(Words("unable to create native thread")),
            says(Words("unable to create new native thread")),
            says(Words("blas_thread_init")).and(&[Words("pthread_create failed")]),
            says(Words("failed to create new os thread")),
            says(Words("max number of threads")).and(&[Words("too low")]),
            says(Words("max user processes: cannot modify limit")),
        ],
        cause: if cfg!(target_os = "macos") {
            "the user or the system has as many processes as it may"
        } else {
            "the user, the cgroup or the system has as many processes and threads as it may"
        },
        advice: Some(
            "OMP_NUM_THREADS and OPENBLAS_NUM_THREADS bound the threads of numeric libraries",
        ),
        about: "processes",
        messages: &[
            "bash: fork: retry: Resource temporarily unavailable",
            "bash: fork: retry: No child processes",
            "-bash: fork: retry: No child processes",
            "-bash: fork: Resource temporarily unavailable",
            "zsh: fork failed: resource temporarily unavailable",
            "BlockingIOError: [Errno 11] Resource temporarily unavailable: os.fork() [Errno 11]",
            "Error: spawn /usr/bin/node EAGAIN",
            "RuntimeError: can't start new thread",
            "libgomp: Thread creation failed: Resource temporarily unavailable",
            "OpenBLAS blas_thread_init: pthread_create failed for thread 31 of 64: Resource temporarily unavailable",
            "java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process/resource limits reached",
            "runtime: failed to create new OS thread (have 8 already; errno=11)",
            "failed to spawn thread: Os { code: 11, kind: WouldBlock, message: \"Resource temporarily unavailable\" }",
            "max number of threads [1024] for user [es] is too low, increase to at least [4096]",
            "bash: ulimit: max user processes: cannot modify limit: Operation not permitted",
        ],
        neighbours: &[
            "recv on a socket: Os { code: 11, kind: WouldBlock, message: \"Resource temporarily unavailable\" }",
            "BlockingIOError: [Errno 11] Resource temporarily unavailable",
            "Could not get lock /var/lib/dpkg/lock - open (11: Resource temporarily unavailable)",
            "thread 'main' panicked at src/main.rs:3:9: read: Resource temporarily unavailable (os error 11)",
            "wait: No child processes",
            "Your branch and the fork have diverged",
            "write EAGAIN",
        ],
    },
    Symptom {
        verdict: Verdict::Limits(&["cpu"]),
        patterns: &[
            says(Begin("cpu time limit exceeded*")),
            says(Text("cpu time limit exceeded*")),
            says(Words("cpu time limit exceeded*")).and(&[Words("line")]),
            says(Begin("cputime limit exceeded*")),
            says(Begin("cpu limit exceeded")),
            says(Words("terminated by signal sigxcpu")),
        ],
        cause: "the program used more processor time than it may",
        advice: None,
        about: "",
        messages: &[
            "CPU time limit exceeded (core dumped)",
            "./x.sh: line 3:  4711 CPU time limit exceeded (core dumped) ./spin",
            "zsh: cpu limit exceeded  ./spin",
        ],
        neighbours: &[
            "SIGXCPU       Yes       Yes     Yes             CPU time limit exceeded",
            "SIGXCPU      P2001      Core    CPU time limit exceeded (4.2BSD);",
            "the cpu limit of the container is 2",
            "Time limit exceeded on test 4",
        ],
    },
    Symptom {
        verdict: Verdict::Limits(&["rtprio"]),
        patterns: &[
            says(Words("sched_setscheduler")).and(&[Error(&EPERM)]),
            says(Words("sched_fifo")).and(&[Error(&EPERM)]),
            says(Words("pthread_setschedparam")).and(&[Error(&EPERM)]),
            says(Words("cannot use real-time scheduling")),
        ],
        cause: "the process may not run with a real-time priority",
        advice: None,
        about: "",
        messages: &[
            "sched_setscheduler: Operation not permitted",
            "Cannot use real-time scheduling (RR/10) (1: Operation not permitted)",
            "chrt: failed to set pid 0's policy: sched_setscheduler: Operation not permitted",
        ],
        neighbours: &[
            "sched_setscheduler: Invalid argument",
            "mount: /srv: Operation not permitted",
        ],
    },
    Symptom {
        verdict: Verdict::Limits(&["nice"]),
        patterns: &[
            says(Words("setpriority")).and(&[Error(&EACCES)]),
            says(Words("cannot set niceness")).and(&[Error(&EACCES)]),
            says(Begin("renice")).and(&[Error(&EACCES)]),
        ],
        cause: "the process may not take a lower nice value",
        advice: None,
        about: "",
        messages: &[
            "nice: cannot set niceness: Permission denied",
            "setpriority: Permission denied",
            "renice: failed to set priority for 4711 (process ID): Permission denied",
        ],
        neighbours: &[
            "nice: ./x: Permission denied",
            "renice: failed to get priority for 4: No such process",
        ],
    },
];
