"""What the host lets a server have: files, threads, ports."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from triptych import resources
from triptych.errors import TriptychError
from triptych.serving import host


def test_the_limits_of_this_machine_will_do_for_a_step():
    host.check_limits(steps=1)


def test_too_few_files_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "most_files", lambda: 64)
    with pytest.raises(TriptychError, match=r"have 64 files open here.*ulimit -Hn 1024.*--ulimit nofile=1024"):
        host.check_limits(steps=1)


def test_too_few_processes_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "free_processes", lambda: 100)
    with pytest.raises(TriptychError, match=r"^100 more processes and threads.*takes 820.*--pids-limit 3280"):
        host.check_limits(steps=16)


def test_the_threads_of_this_user_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "most_processes", lambda: 100_000)
    monkeypatch.setattr(resources, "free_processes", lambda: resources.UNLIMITED)
    assert 0 < host.free_threads() < 100_000


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_is_told_with_who_holds_it(address: str):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        port = listener.getsockname()[1]
        me = psutil.Process()
        told = f"port {port} of {address} is held by {me.name()} (pid {os.getpid()}, of user {me.username()})"
        assert host.why_not_listen(port, address) == told
    assert host.why_not_listen(port, address) == ""


def test_without_psutil_the_holder_is_another_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert host.holder(1) == "another process"


def test_a_holder_that_is_not_seen_is_another_user_s():
    assert host.holder(host.free_port()) == "another user's process"


@pytest.mark.parametrize("address", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_this_machine_s_is_told_as_such(address: str):
    assert host.why_not_listen(0, address).startswith(f"cannot listen on port 0 of {address}: ")


def test_a_folder_without_a_triton_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(host.TRITON, str(tmp_path))
    with pytest.raises(TriptychError, match=rf"{tmp_path} holds no Triton.*bin/tritonserver is missing.*{host.TRITON}"):
        host.triton_home()
