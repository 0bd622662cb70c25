#!/usr/bin/env python3
"""Loads the machine for `tests/bench/ports`, on loopback only.

300 processes that each hold 50 descriptors, 1,000 listeners spread over them,
and 5,000 connections to one of the listeners. Prints a line with the port of
that listener when all of it stands, and ends when its standard input closes.
"""

import os
import resource
import socket
import sys

PROCESSES = 300
DESCRIPTORS = 50
LISTENERS = 1000
CONNECTIONS = 5000


def listener():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(CONNECTIONS)
    return server


def child(index, ready, stay):
    """Holds this process's share of everything until the parent goes."""
    os.close(stay[1])
    held = [open(os.devnull) for _ in range(DESCRIPTORS)]
    mine = range(index, LISTENERS, PROCESSES)
    held += [listener() for _ in mine]
    os.write(ready, b".")
    os.read(stay[0], 1)
    os._exit(0)


def connections(port, server):
    held = []
    for _ in range(CONNECTIONS):
        client = socket.create_connection(("127.0.0.1", port))
        held += [client, server.accept()[0]]
    return held


def main():
    limit = 2 * CONNECTIONS + 1000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < limit:
        sys.exit(f"load.py: needs {limit} descriptors, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    ready, stay = os.pipe(), os.pipe()
    for index in range(PROCESSES):
        if os.fork() == 0:
            child(index, ready[1], stay)
    waiting = PROCESSES
    while waiting:
        waiting -= len(os.read(ready[0], waiting))
    server = listener()
    port = server.getsockname()[1]
    held = connections(port, server)
    print(port, flush=True)
    sys.stdin.read()
    del held
    os.close(stay[1])
    for _ in range(PROCESSES):
        os.wait()


main()
