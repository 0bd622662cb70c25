"""Programs in a pseudo-terminal, and how long zsh takes from a key to its answer.

Nothing here waits for a time to pass: the shell's widgets write a mark behind
what they have shown, and reading the mark is the end of the measurement.
"""

import fcntl
import os
import pty
import select
import struct
import termios
import time

MARK = b"\x1b]0;mx-bench\x07"
DEADLINE = 60

# Completes as TAB does; says that the shell waits for a key; empties the line,
# and makes what mx keeps of live values old. Every prompt is marked.
WIDGETS = r"""
_bench_mark() { zle -R; builtin print -n '\e]0;mx-bench\a' }
_bench_tab() { zle ${BENCH_TAB:-complete-word}; _bench_mark }
_bench_clear() { BUFFER=; [[ ! -v _mx ]] || _mx[at]=0; _bench_mark }
for _bench in mark tab clear; do zle -N _bench_$_bench; done
bindkey '^I' _bench_tab '^N' _bench_mark '^O' _bench_clear
LISTMAX=99999
autoload -Uz add-zle-hook-widget
add-zle-hook-widget line-init _bench_mark
"""


def open_terminal(command, environment):
    """Starts a command in a terminal of its own; gives its PID and the other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        os.chdir(environment["HOME"])
        os.execvpe(command[0], command, environment)
    return pid, terminal


def said(command, environment):
    """What a command shows on a terminal."""
    pid, terminal = open_terminal(command, environment)
    shown = b""
    while True:
        # At the end of the command Linux gives an error, macOS nothing.
        try:
            part = os.read(terminal, 65536)
        except OSError:
            part = b""
        if not part:
            break
        shown += part
    os.close(terminal)
    os.waitpid(pid, 0)
    return shown


class Zsh:
    """An interactive zsh whose start-up file ends with WIDGETS, at its first prompt."""

    def __init__(self, environment):
        self.pid, self.terminal = open_terminal(["zsh", "-d", "-i"], environment)
        self.until_mark()

    def until_mark(self):
        """What is shown up to the next mark."""
        shown = b""
        end = time.monotonic() + DEADLINE
        while MARK not in shown:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"zsh shows no mark: {shown!r}")
            shown += os.read(self.terminal, 65536)
        return shown

    def press(self, keys):
        """Seconds from these keys to the mark, and what was shown."""
        start = time.perf_counter()
        os.write(self.terminal, keys)
        shown = self.until_mark()
        return time.perf_counter() - start, shown

    def tab(self, line):
        """Seconds that completing this line takes, and what is listed. The line is empty afterwards."""
        self.press(line.encode() + b"\x0e")
        result = self.press(b"\t")
        self.press(b"\x0f")
        return result

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)
