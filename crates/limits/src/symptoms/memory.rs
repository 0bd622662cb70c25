//! Messages about memory: refused, used up, locked, mapped.

use super::{Symptom, Verdict};
use crate::errno::{EAGAIN, ENOMEM, EPERM};
use crate::matching::Piece::{Begin, Error, Text, Whole, Words};
use crate::matching::says;

const FAIL_EARLY: Option<&str> =
    Some("a limit on as makes a program fail to allocate before it is killed");
// On macOS, jetsam ends processes (`memorystatus` of xnu), and the log is read with log(1).
const WHO_KILLED: Option<&str> = Some(if cfg!(target_os = "macos") {
    "the kernel's log decides: log show --last 10m --predicate 'process == \"kernel\" AND eventMessage CONTAINS \"memorystatus\"' has a line with the PID if it was jetsam; without one it was a time limit or a signal"
} else {
    "the kernel's log decides: sudo dmesg or journalctl -k of the machine, not of the container, has a line with 'Killed process' if it was the out-of-memory killer, and 'CONSTRAINT_MEMCG' if it was for the cgroup; without one it was a time limit or a signal"
});
const KILLED: &str = if cfg!(target_os = "macos") {
    "what killed the process: jetsam for the memory of the machine, a time limit (cpu, a timeout), or a signal that a user or a program sent"
} else {
    "what killed the process: the out-of-memory killer for the machine or for the memory cgroup (memory.max, a container's --memory), a time limit (cpu, a job scheduler's, a timeout), or a signal that a user or a program sent"
};

pub(super) static SYMPTOMS: &[Symptom] = &[
    Symptom {
        verdict: Verdict::Limits(&["memory.max"]),
        patterns: &[
            says(Words("memory cgroup out of memory")),
            says(Words("constraint=constraint_memcg")),
            says(Words("oomkilled")).and_any(&[
                Words("reason"),
                Words("last state"),
                Words("true"),
            ]),
        ],
        cause: "the kernel ended a process because its cgroup had used up its memory",
        advice: FAIL_EARLY,
        about: "oom",
        messages: &[
            "kernel: Memory cgroup out of memory: Killed process 4711 (python3) total-vm:9216000kB",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0",
            "    Reason:       OOMKilled",
            "            \"OOMKilled\": true,",
        ],
        neighbours: &["            \"OOMKilled\": false,", "memory cgroup: initialized"],
    },
    Symptom {
        verdict: Verdict::Limits(&["MemTotal"]),
        patterns: &[
            says(Begin("out of memory: killed process")),
            says(Begin("out of memory: kill process")),
            says(Words("constraint=constraint_none")),
            says(Words("constraint=constraint_cpuset")),
            says(Words("memorystatus: killing_*")),
        ],
        cause: "the kernel ended a process because the memory of the machine was used up",
        advice: FAIL_EARLY,
        about: "oom",
        messages: &[
            "kernel: Out of memory: Killed process 912 (chrome) total-vm:9216000kB",
            "[ 812.31] Out of memory: Kill process 912 (chrome) score 900 or sacrifice child",
            "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom",
        ],
        neighbours: &[
            "systemd[1]: Listening on Userspace Out-Of-Memory (OOM) Killer Socket.",
            "out of memory: retrying",
        ],
    },
    Symptom {
        verdict: Verdict::Unsure(&["memory.max", "MemTotal"]),
        patterns: &[
            says(Words("invoked oom-killer")),
            says(Words("killed by the oom killer")),
            says(Words("failed with result 'oom-kill'")),
        ],
        cause: "whether the memory of a cgroup (memory.max) or of the machine was used up, for which the kernel ended a process",
        advice: Some(
            "the line with 'constraint=' that follows in the kernel's log decides: CONSTRAINT_MEMCG is the cgroup, CONSTRAINT_NONE the machine",
        ),
        about: "oom",
        messages: &[
            "python3 invoked oom-killer: gfp_mask=0x140cca, order=0, oom_score_adj=0",
            "train.service: A process of this unit has been killed by the OOM killer.",
            "train.service: Failed with result 'oom-kill'.",
        ],
        neighbours: &[
            "systemd[1]: Started Userspace Out-Of-Memory (OOM) Killer.",
            "train.service: Failed with result 'exit-code'.",
        ],
    },
    Symptom {
        verdict: Verdict::Unsure(&["memory.max", "MemTotal", "cpu"]),
        patterns: &[
            says(Whole("killed")),
            says(Begin("killed"))
                .and(&[Words("zsh")])
                .without(&[Words("processes"), Words("status")]),
            says(Words("killed"))
                .and(&[Words("line")])
                .and_any(&[Words(".sh"), Words("sh")])
                .without(&[Words("was killed"), Words("be killed"), Words("is killed")]),
            says(Words("killed by signal: killed")),
            says(Words("exited with code 137")),
            says(Words("exit code 137")),
            says(Words("exit code: 137")),
            says(Words("exit status 137")),
            says(Words("killed signal terminated program")),
            says(Words("signal: 9, sigkill: kill")),
            says(Words("status=9/kill")),
            says(Words("exited on sigkill")),
            says(Text("error 137")),
        ],
        cause: KILLED,
        advice: WHO_KILLED,
        about: "oom",
        messages: &[
            "Killed",
            "zsh: killed     python train.py",
            "./train.sh: line 3:  4711 Killed                  python train.py",
            "RuntimeError: DataLoader worker (pid 31442) is killed by signal: Killed.",
            "web exited with code 137",
            "gcc: fatal error: Killed signal terminated program cc1plus",
            "c++: fatal error: Killed signal terminated program cc1plus",
            "make[2]: *** [CMakeFiles/x.dir/build.make:76: x.o] Error 137",
            "process didn't exit successfully: `rustc --crate-name x` (signal: 9, SIGKILL: kill)",
            "web.service: Main process exited, code=killed, status=9/KILL",
        ],
        neighbours: &[
            "web.service: Main process exited, code=killed, status=15/TERM",
            "the cat killed a mouse",
            "Killed 3 processes",
            "make: *** [Makefile:2: all] Error 1",
            "exit code 13",
            "137 Unknown error 137",
            "signal: killed by the user, as error 137 in the table",
        ],
    },
    Symptom {
        verdict: Verdict::Other,
        patterns: &[
            says(Words("java.lang.outofmemoryerror: java heap space")),
            says(Words("java.lang.outofmemoryerror: gc overhead limit exceeded")),
            says(Words("java.lang.outofmemoryerror: metaspace")),
            says(Words("outofmemoryerror: requested array size exceeds vm limit")),
            says(Words("java.lang.outofmemoryerror: compressed class space")),
            says(Words("javascript heap out of memory")),
            says(Words("the system is out of resources")),
        ],
        cause: "the heap of the virtual machine is full, which no limit of the system sets",
        advice: Some(
            "the virtual machine's own option sets it: java -Xmx4g (-XX:MaxMetaspaceSize), node --max-old-space-size=4096",
        ),
        about: "",
        messages: &[
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space",
            "java.lang.OutOfMemoryError: GC overhead limit exceeded",
            "java.lang.OutOfMemoryError: Metaspace",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        ],
        neighbours: &["    catch (java.lang.OutOfMemoryError error) {", "Java heap space: 512 MB"],
    },
    Symptom {
        verdict: Verdict::Other,
        patterns: &[
            says(Words("cuda out of memory")),
            says(Words("cuda error: out of memory")),
            says(Words("hip out of memory")),
            says(Words("cuda_error_out_of_memory")),
            says(Words("cudaerrormemoryallocation")),
            says(Words("cublas_status_alloc_failed")),
            says(Words("mps backend out of memory")),
        ],
        cause: "the memory of the accelerator is full, which no limit of the system sets",
        advice: Some(
            "a smaller batch or model; nvidia-smi shows what holds the memory of a GPU, and on Apple silicon PYTORCH_MPS_HIGH_WATERMARK_RATIO bounds what PyTorch takes",
        ),
        about: "",
        messages: &[
            "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 15.78 GiB total capacity)",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
            "RuntimeError: CUDA error: out of memory",
            "RuntimeError: MPS backend out of memory (MPS allocated: 8.00 GB, max allowed: 9.07 GB)",
            "CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        ],
        neighbours: &["except torch.cuda.OutOfMemoryError:", "CUDA memory: 12 GiB free"],
    },
    Symptom {
        verdict: Verdict::Limits(&["memlock"]),
        patterns: &[
            says(Words("rlimit_memlock"))
                .and_any(&[
                    Words("increase"),
                    Words("is"),
                    Words("too low"),
                    Words("too small"),
                    Words("raise"),
                    Words("raising"),
                    Words("increasing"),
                    Words("failed"),
                ])
                .without(&[Words("unlimited")]),
            says(Words("mlock")).and(&[Error(&ENOMEM)]),
            says(Words("mlock")).and(&[Error(&EPERM)]),
            says(Words("mlock")).and(&[Error(&EAGAIN)]),
            says(Words("failed to mlock")).and(&[Error(&ENOMEM)]),
            says(Words("mlockall")).and_any(&[Error(&ENOMEM), Error(&EPERM)]),
            says(Words("unable to lock jvm memory")),
            says(Words("memory locking requested")).and(&[Words("memory is not locked")]),
            says(Words("locked memory")).and_any(&[
                Words("too low"),
                Words("too small"),
                Words("cannot modify limit"),
            ]),
            says(Words("io_uring_*")).and(&[Error(&ENOMEM)]),
            says(Words("ibv_*")).and(&[Error(&ENOMEM)]),
            says(Words("bpf_*")).and_any(&[Words("memlock")]).without(&[Words("kernel:")]),
            says(Words("memlock may be too low")),
            says(Words("failed to create bpf map")).and(&[Error(&EPERM)]),
            says(Words("map create: operation not permitted")),
            says(Words("could not lock memory")),
        ],
        cause: "the process may not lock as much memory into RAM as it wants to",
        advice: None,
        about: "",
        messages: &[
            "warning: failed to mlock 73732096-byte buffer (after previously locking 0 bytes): Cannot allocate memory",
            "Unable to lock JVM Memory: error=12, reason=Cannot allocate memory. This can result in part of the JVM being swapped out.",
            "These can be adjusted: Increase RLIMIT_MEMLOCK, soft limit: 65536, hard limit: 65536",
            "memory locking requested for elasticsearch process but memory is not locked",
            "libibverbs: Warning: RLIMIT_MEMLOCK is 65536 bytes.",
            "ibv_reg_mr failed: Cannot allocate memory",
            "libbpf: Error in bpf_object__probe_loading(): Operation not permitted(1). Couldn't load trivial BPF program. Make sure your kernel supports BPF or that RLIMIT_MEMLOCK is set to big enough value.",
            "map create: operation not permitted (MEMLOCK may be too low, consider rlimit.RemoveMemlock)",
            "io_uring_queue_init: Cannot allocate memory",
        ],
        neighbours: &[
            "mlock: Function not implemented",
            "    at com.example.Mlock.run(Mlock.java:12)",
            "max locked memory           (kbytes, -l) 8192",
        ],
    },
    Symptom {
        verdict: Verdict::Limits(&["vm.max_map_count"]),
        patterns: &[
            says(Words("max virtual memory areas")).and(&[Words("too low")]),
            says(Words("vm.max_map_count")).and_any(&[
                Words("too low"),
                Words("increase"),
                Words("at least"),
            ]),
            says(Words("outofmemoryerror: map failed")),
            says(Words("unable to mmap")).and(&[Words("torch_*"), Error(&ENOMEM)]),
        ],
        cause: "the process has as many memory maps as it may",
        advice: None,
        about: "",
        messages: &[
            "max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]",
            "java.lang.OutOfMemoryError: Map failed",
            "RuntimeError: unable to mmap 128 bytes from file </torch_1234_9>: Cannot allocate memory (12)",
        ],
        neighbours: &["vm.max_map_count = 65530", "max_map_count is documented in vm.rst"],
    },
    Symptom {
        verdict: Verdict::Limits(&["as", "CommitLimit", "memory.max", "MemTotal"]),
        patterns: &[
            says(Error(&ENOMEM)).without(&[
                Words("cuda"),
                Words("mps"),
                Words("kill"),
                Words("killed"),
                Words("heap"),
                Words("gpu"),
            ]),
            says(Words("what(): std::bad_alloc")),
            says(Words("instance of 'std::bad_alloc'")),
            says(Whole("memoryerror")),
            says(Begin("memoryerror")).without(&[Words("is"), Words("handling")]),
            says(Words("memory allocation of")).and(&[Words("bytes failed")]),
            says(Words("virtual memory exhausted")),
            says(Words("unable to allocate")).and(&[Words("for an array")]),
        ],
        cause: "the system refused memory: an address space that is limited, memory that it does not promise, or all memory in use",
        advice: Some(
            "where vm.overcommit_memory is 0, one request beyond all memory is refused; where it is 2, all beyond CommitLimit, even fork",
        ),
        about: "",
        messages: &[
            "bash: fork: Cannot allocate memory",
            "OSError: [Errno 12] Cannot allocate memory",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 59.6 GiB for an array with shape (8000000000,)",
            "memory allocation of 107374182400 bytes failed",
            "mmap: ENOMEM",
            "MemoryError",
        ],
        neighbours: &[
            "class MemoryErrorHandler: pass",
            "    raise MemoryError handling is in line 12",
            "the tests simulate ENOMEM of mmap in a loop",
        ],
    },
    Symptom {
        verdict: Verdict::Other,
        patterns: &[
            says(Words("recursionerror: maximum recursion depth exceeded")),
            says(Words("rangeerror: maximum call stack size exceeded")),
            says(Words("java.lang.stackoverflowerror")).without(&[Words("catch")]),
            says(Begin("stack level too deep")),
            says(Words("stack level too deep (systemstackerror)")),
        ],
        cause: "calls are nested deeper than the interpreter allows, which is most often a recursion without an end; the interpreter sets this bound, not the stack limit",
        advice: Some(
            "where the depth is meant, the interpreter's own option: sys.setrecursionlimit in Python, node --stack-size, java -Xss, RUBY_THREAD_VM_STACK_SIZE",
        ),
        about: "",
        messages: &[
            "RecursionError: maximum recursion depth exceeded while calling a Python object",
            "RangeError: Maximum call stack size exceeded",
            "Exception in thread \"main\" java.lang.StackOverflowError",
            "stack level too deep (SystemStackError)",
        ],
        neighbours: &["except RecursionError:", "    } catch (StackOverflowError error) {"],
    },
    Symptom {
        verdict: Verdict::Limits(&["stack"]),
        patterns: &[
            says(Words("has overflowed its stack")),
            says(Words("fatal runtime error: stack overflow")),
            says(Words("addresssanitizer: stack-overflow")),
            says(Words("cannot recover from stack overflow")),
            says(Words("stack size: cannot modify limit")),
            says(Text("segmentation fault (stack overflow)")),
        ],
        cause: "the program used up its stack: calls are nested too deep, or its local variables are too large",
        advice: Some(
            "threads other than the first have their own size, as RUST_MIN_STACK or java -Xss",
        ),
        about: "",
        messages: &[
            "thread 'main' has overflowed its stack",
            "fatal runtime error: stack overflow",
            "==12==ERROR: AddressSanitizer: stack-overflow on address 0x7ffd",
            "Fatal Python error: Cannot recover from stack overflow.",
        ],
        neighbours: &[
            "Speculative Return Stack Overflow: Mitigation: Safe RET",
            "[    0.251016] Speculative Return Stack Overflow: IBPB-extending microcode not applied!",
            "See https://stackoverflow.com/questions/1",
        ],
    },
];
