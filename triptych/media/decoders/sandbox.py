"""What a decoder may do: compute, on bounded memory and time, and answer. No file, no socket, no program, no signal.

Limits of the kernel for each process (setrlimit(2)) hold everywhere. A filter of system calls (seccomp(2), by
libseccomp) holds where the kernel and the library are there; `available` says where they are not.
"""

from __future__ import annotations

import ctypes
import errno
import math
import os
import resource
import signal
import time
from types import ModuleType

from triptych.media.decoders.bounds import CLIPS, OPEN_FILES, Bounds

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
"""Of linux/prctl.h."""

GRACE_S = 1
"""A decoder that ignores SIGXCPU gets SIGKILL when it has had the processor time of all its clips, and so much more."""

ALLOWED = (
    # memory
    "brk", "mmap", "munmap", "mremap", "mprotect", "madvise",
    # threads of this process (`clone` has a rule of its own), and waiting
    "futex", "set_robust_list", "get_robust_list", "rseq", "sched_yield", "sched_getaffinity", "gettid", "getpid",
    "exit", "exit_group", "poll", "ppoll", "nanosleep", "clock_nanosleep", "restart_syscall", "membarrier",
    # time and chance
    "clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom", "getrusage", "times",
    # signals that a crash sends to itself (`tgkill` has a rule of its own)
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
    # what is open already: the socket to the step, the clip, the memory for results, the pipe for errors
    "read", "readv", "write", "writev", "recvmsg", "sendto", "sendmsg", "close", "lseek", "fstat", "dup",
)  # fmt: skip
"""System calls of a decoder. Others fail with EPERM: none opens, connects, runs or ends anything."""

CLONE_THREAD = 0x10000
AT_EMPTY_PATH = 0x1000
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 1030
"""Of linux/sched.h and linux/fcntl.h."""

_libc = ctypes.CDLL(None, use_errno=True)


def available() -> str:
    """Return why decoders run without the filter of system calls here, in words; "" when they run with it."""
    try:
        seccomp = _seccomp()
    except (ImportError, RuntimeError, OSError):
        return "libseccomp is missing (sudo apt-get install libseccomp2)"
    if seccomp.get_api() == 0:
        return "this kernel has no seccomp filters"
    child = os.fork()
    if child == 0:
        os._exit(_trial())
    _, status = os.waitpid(child, 0)
    return "" if status == 0 else "this kernel, or the container, forbids seccomp filters"


def enter(bounds: Bounds, filtered: bool) -> None:
    """Give up all that a decoder does not need, for good; `filtered`: with the filter of system calls.

    Called in a fresh process of one thread.
    """
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_DATA, bounds.memory_bytes)
    most_s = CLIPS * bounds.cpu_s + GRACE_S
    resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s))
    if filtered:
        _filter().load()


def allow_cpu(seconds: int) -> None:
    """Allow this process so much processor time from now on; then it gets SIGXCPU."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(math.ceil(time.process_time()) + seconds, hard), hard))


def end_with_parent(parent: int) -> None:
    """See to it that this process does not outlive its parent, which has this number."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _trial() -> int:
    try:
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _filter().load()
    except OSError:
        return 1
    return 0


def _seccomp() -> ModuleType:
    import pyseccomp  # it loads libseccomp, which not every system has

    return pyseccomp


def _filter():
    """Return the filter for this process."""
    seccomp = _seccomp()
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in ALLOWED:
        _allow(rules, name)
    _allow(rules, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
    _allow(rules, "tgkill", seccomp.Arg(0, seccomp.EQ, os.getpid()))
    _allow(rules, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0), seccomp.Arg(1, seccomp.EQ, resource.RLIMIT_CPU))
    _allow(rules, "newfstatat", seccomp.Arg(3, seccomp.MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH))
    for command in (F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC):
        _allow(rules, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    # The flags of clone3 are in memory, where no filter sees them; without it, glibc takes clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    return rules


def _allow(rules, name: str, *arguments) -> None:
    seccomp = _seccomp()
    try:
        number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    except OSError:  # another processor's, or newer than this libseccomp
        return
    rules.add_rule(seccomp.ALLOW, number, *arguments)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")
