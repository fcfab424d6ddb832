"""`triptych serve` as a process: how it starts, what it says when it cannot, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import watching
from triptych.errors import TriptychError
from triptych.serving import private
from triptych.serving.host import why_not_listen
from triptych.serving.service import COMMAND, Service
from triptych_client import Analysis, Client, DeadlineExceeded, ServerBusy

pytestmark = pytest.mark.server


def shared_memory() -> set[str]:
    return {path.name for path in private.SHARED_MEMORY.glob(f"{private.PREFIX}*")}


def whole(answer: Analysis) -> bool:
    """Tell whether every channel of the demo clip was heard or seen."""
    return {channel.status for channel in answer.channels.values()} == {"ok"}


def test_a_term_signal_lets_the_clip_that_is_inside_be_answered_and_leaves_nothing(
    repository: Path, short_clip: Path, tmp_path: Path
):
    """At an address of IPv6: so that is served as well."""
    service = Service(repository, work=tmp_path / "work", host="::1")
    answers = []
    with service, Client(service.grpc_url) as client:
        assert service.grpc_url.startswith("[::1]:")
        assert client.triton_version() == "2.51.0"
        client.analyze(short_clip)
        family = psutil.Process(service.process.pid).children(recursive=True)
        mapped = [path.name for path in watching.shared_files(family)]
        (mine,) = {folder for folder in shared_memory() if any(name.startswith(f"{folder}_") for name in mapped)}
        asking = threading.Thread(target=lambda: answers.append(client.analyze(short_clip)))
        asking.start()
        deadline = time.monotonic() + 60
        while "triptych_in_flight 1.0" not in service.metrics() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert service.stop() == 0
        asking.join(60)
    assert [whole(answer) for answer in answers] == [True]
    psutil.wait_procs(family, 60)
    assert not [process for process in family if process.is_running()]
    assert not [name for name in shared_memory() if name.startswith(mine)]


def test_a_term_signal_while_it_starts_ends_it(repository: Path, tmp_path: Path):
    service = Service(repository, work=tmp_path / "work")

    def start() -> None:
        with pytest.raises(TriptychError, match="did not start"):
            service.start()

    starting = threading.Thread(target=start)
    starting.start()
    deadline = time.monotonic() + 60
    while not why_not_listen(service.grpc_port) and time.monotonic() < deadline:
        time.sleep(0.01)  # before it listens, a signal ends it as it ends any program
    process = service.process
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    starting.join(60)


def test_a_port_that_is_taken_is_named_with_its_holder_in_seconds(repository: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [*COMMAND, f"--repository={repository}", f"--work={tmp_path}", f"--grpc-port={port}"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"port {port} of 127.0.0.1 is held by" in ended.stderr
    assert f"pid {os.getpid()}" in ended.stderr
    assert "--grpc-port" in ended.stderr


def test_a_deadline_that_passes_leaves_the_server_as_it_was(server: Service, demo_clip: Path):
    with Client(server.grpc_url) as client:
        for _ in range(5):
            with pytest.raises((DeadlineExceeded, ServerBusy)):  # once it is known how long a clip takes
                client.analyze(demo_clip, timeout_s=0.2)
        assert whole(client.analyze(demo_clip))
