"""Becomes another program, which the kernel ends with the thread that started it: `python launcher.py PARENT COMMAND`.

A script of the standard library alone. What it does to itself the program keeps: the signal at the parent's death, a
place behind the parent for the cores, and limits on files and processes that are as high as they may be. (Between fork
and exec in a process with threads, where subprocess' `preexec_fn` would do it, Python may wait for ever.) What the
program starts ends with it.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h; see prctl(2)."""
BEHIND = 3
"""Steps of niceness, see nice(2): one that is 3 nicer gets a third of a core that both want."""
MOST_FILES = 1 << 16
"""Some containers allow a thousand million files, and a program that goes through them all takes minutes."""


def when_parent_ends(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end now when that has happened already."""
    when_parent_ends(signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that asked for this one has ended")


def step_back() -> None:
    """Let whoever started this process go first when cores are scarce: it answers callers, this computes."""
    os.nice(BEHIND)


def raise_limits() -> None:
    """Let this process have as many files and processes as the system lets it ask for."""
    files, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most_files == resource.RLIM_INFINITY or most_files > MOST_FILES:
        most_files = max(files, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    most_processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    resource.setrlimit(resource.RLIMIT_NPROC, (most_processes, most_processes))


def end_the_rest() -> None:
    """Leave a process behind that ends, when this one has ended, what is left of its session.

    A stub of Triton that waits for tritonserver at that moment waits for ever: it holds Python's lock, which its own
    watch over the parent wants before it ends the stub.
    """
    program = os.getpid()
    if os.getsid(0) != program or os.fork():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    when_parent_ends(signal.SIGUSR1)
    if os.getppid() == program:
        signal.sigwait({signal.SIGUSR1})
    os.killpg(program, signal.SIGKILL)


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    raise_limits()
    step_back()
    end_the_rest()
    os.execv(sys.argv[2], sys.argv[2:])
