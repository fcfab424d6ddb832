"""The embedded server by itself: how it starts, and what it says when it cannot. Real processes of real Triton."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import triton_to_np_dtype

import triptych
import triptych_client
from triptych.errors import TriptychError
from triptych.paths import ROOT
from triptych.serving import host, sources
from triptych.serving.embedded import EmbeddedServer
from triptych_client.contract import STEPS

STEP = "media_probe"
"""A step of our own code, which needs no export and is ready at once."""


WHERE = """
from pathlib import Path

import triptych
import triptych_client
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        told = f"{Path(triptych.__file__).resolve()} {Path(triptych_client.__file__).resolve()}"
        return [pb_utils.InferenceResponse(error=pb_utils.TritonError(told)) for _ in requests]
"""
"""A step that tells where it has its code from."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository of one step."""
    shutil.copytree(sources.REPOSITORY / STEP, tmp_path / "models" / STEP, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "models"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that someone listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def is_ready(server: EmbeddedServer) -> bool:
    with triton.InferenceServerClient(server.grpc_url) as client:
        return bool(client.is_model_ready(STEP))


def test_two_servers_on_one_repository_and_one_work_folder_start_together(small: Path, tmp_path: Path):
    servers = [EmbeddedServer(small, work=tmp_path / "work") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(server.start) for server in servers]
    try:
        assert all(is_ready(future.result()) for future in started)
    finally:
        for server in servers:
            server.stop()


def test_starting_writes_nothing_into_the_repository(small: Path, tmp_path: Path):
    for folder in (small / STEP / "1", small / STEP, small):
        folder.chmod(0o555)
    before = {path: path.lstat().st_mtime_ns for path in small.rglob("*")}
    with EmbeddedServer(small, work=tmp_path / "work") as server:
        assert is_ready(server)
    after = {path: path.lstat().st_mtime_ns for path in small.rglob("*") if "__pycache__" not in path.parts}
    after[small / STEP / "1"] = before[small / STEP / "1"]  # Python's own __pycache__, where it may write
    assert after == before


def test_the_steps_run_our_code_and_no_module_of_the_folder_that_it_is_started_in(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("numpy.py", "triptych.py", "json.py"):
        (tmp_path / name).write_text("raise ImportError('the module of another')\n")
    (small / STEP / "1" / "model.py").write_text(WHERE)
    monkeypatch.chdir(tmp_path)
    with (
        EmbeddedServer(Path("models"), work=Path("work")) as server,
        triton.InferenceServerClient(server.grpc_url) as client,
    ):
        given = [triton.InferInput(tensor.name, [0], tensor.dtype) for tensor in STEPS[STEP].inputs]
        for tensor in given:
            tensor.set_data_from_numpy(np.zeros(0, triton_to_np_dtype(tensor.datatype())))
        with pytest.raises(triton.InferenceServerException) as told:
            client.infer(STEP, given)
    assert told.value.message() == f"{Path(triptych.__file__).resolve()} {Path(triptych_client.__file__).resolve()}"


def test_a_model_that_fails_to_load_is_told_in_the_log_s_words(small: Path, tmp_path: Path):
    (small / STEP / "1" / "model.py").write_text("raise RuntimeError('no such luck')\n")
    with pytest.raises(TriptychError, match=rf"(?s)Triton did not start:.*'{STEP}'.*no such luck.*Its log: .*\.log"):
        EmbeddedServer(small, work=tmp_path / "work").start()


def test_a_server_that_dies_at_start_is_told_with_its_last_words(small: Path, tmp_path: Path):
    server = EmbeddedServer(small, work=tmp_path / "work", options=["--no-such-flag"])
    with pytest.raises(TriptychError, match=r"(?s)Triton did not start:.*unrecognized option '--no-such-flag'"):
        server.start()
    assert server.process is None


@pytest.mark.parametrize("service", ["grpc", "http", "metrics"])
def test_a_port_that_is_taken_is_named_with_the_remedy(service: str, taken: int, small: Path, tmp_path: Path):
    server = EmbeddedServer(small, work=tmp_path / "work", **{f"{service}_port": taken})
    remedy = rf"port {taken} of 127\.0\.0\.1 for \w+: Address already in use.*--{service}-port"
    with pytest.raises(TriptychError, match=remedy):
        server.start()
    assert server.process is None


def test_a_second_server_on_the_port_of_the_first_does_not_pass_for_it(small: Path, tmp_path: Path):
    with EmbeddedServer(small, work=tmp_path / "work") as first:
        with pytest.raises(TriptychError, match=f"port {first.grpc_port} .* already in use"):
            EmbeddedServer(small, work=tmp_path / "work", grpc_port=first.grpc_port).start()
        assert is_ready(first)


def test_a_folder_that_triton_cannot_run_from_is_refused_at_once(small: Path, tmp_path: Path):
    spaced = small.rename(tmp_path / "my models")
    with pytest.raises(TriptychError, match=r"trips over the ' ' in the path.*TRIPTYCH_HOME"):
        EmbeddedServer(spaced, work=tmp_path / "work").start()


def test_without_the_shared_libpython_the_package_is_named(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sysconfig.get_config_vars(), "LIBDIR", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(host, "SYSTEM_LIBRARIES", tmp_path)
    with pytest.raises(TriptychError, match=rf"{host.LIBPYTHON}.*sudo apt-get install libpython{host.PYTHON}"):
        EmbeddedServer(small, work=tmp_path / "work").start()


def test_without_the_wheel_the_command_that_installs_it_is_named(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pytriton", None)
    with pytest.raises(TriptychError, match=r"pip install nvidia-pytriton==0\.7\.0"):
        EmbeddedServer(small, work=tmp_path / "work").start()


def test_the_pin_of_the_remedy_is_that_of_the_project():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"nvidia-pytriton==0.7.0"' in text


def test_a_server_that_ends_by_itself_gives_its_exit_status(small: Path, tmp_path: Path):
    server = EmbeddedServer(small, work=tmp_path / "work").start()
    assert isinstance(server.process, subprocess.Popen)
    server.process.kill()
    assert server.wait() == -9
    server.stop()
