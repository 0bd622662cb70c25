"""What the benchmarks share: the program, timing a command, and a load of sockets.

The load is on loopback and ends with the script: 300 processes that hold 50
descriptors each, 1,000 listeners spread over them, 5,000 connections to one more.
"""

import os
import resource
import socket
import sys
import time

PROCESSES = 300
DESCRIPTORS = 50
LISTENERS = 1000
CONNECTIONS = 5000

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
MX = os.path.join(TARGET, "release", "mx")
NULLS = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in range(3)]


def need_mx():
    """Ends the script where there is nothing to measure."""
    if not os.access(MX, os.X_OK):
        sys.exit(f"{os.path.basename(sys.argv[0])}: no release build: cargo build --release")


def run(command, environment=os.environ):
    """Seconds that a command took, its output thrown away."""
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, environment, file_actions=NULLS)
    os.waitpid(pid, 0)
    return time.perf_counter() - start


def listener():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(CONNECTIONS)
    return server


def cgroup_root():
    """Where cgroup v2 is mounted, if this user may make cgroups there."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        places = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    return next((place for place in places if os.access(place, os.W_OK)), None)


def share(index):
    """What one process of the load holds."""
    held = [open(os.devnull) for _ in range(DESCRIPTORS)]
    return held + [listener() for _ in range(index, LISTENERS, PROCESSES)]


def connections():
    """What one more process holds: a listener and both ends of its connections."""
    server = listener()
    held = [server]
    for _ in range(CONNECTIONS):
        client = socket.create_connection(server.getsockname())
        held += [client, server.accept()[0]]
    return held


def holder(hold, stay, cgroup):
    """A process that holds something until `stay` is closed; gives its PID and its first port."""
    ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(stay[1])
        if cgroup:
            os.mkdir(cgroup)
            with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as procs:
                procs.write("0")
        held = hold()
        ports = [one.getsockname()[1] for one in held if isinstance(one, socket.socket)]
        os.write(ready[1], ports[0].to_bytes(2, "big"))
        os.read(stay[0], 1)
        os._exit(0)
    os.close(ready[1])
    port = int.from_bytes(os.read(ready[0], 2), "big")
    os.close(ready[0])
    return pid, port


def under_load(measure, cgroups=None):
    """Calls `measure` with a busy port while the load stands; in cgroups below `cgroups`, if given."""
    limit = 2 * CONNECTIONS + 1000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < limit:
        sys.exit(f"the load needs {limit} descriptors, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    stay = os.pipe()
    pids, made = [], []
    try:
        for index in range(PROCESSES + 1):
            cgroup = cgroups and os.path.join(cgroups, f"mx-bench-{os.getpid()}-{index}")
            hold = connections if index == PROCESSES else lambda: share(index)
            pid, port = holder(hold, stay, cgroup)
            pids.append(pid)
            made += [cgroup] if cgroup else []
        measure(port)
    finally:
        os.close(stay[1])
        for pid in pids:
            os.waitpid(pid, 0)
        for directory in made:
            os.rmdir(directory)
