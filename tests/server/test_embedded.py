"""The embedded server by itself: how it starts, and what it says when it cannot. Real processes of real Triton."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import triton_to_np_dtype

import triptych
import triptych_client
from triptych.errors import TriptychError
from triptych.paths import ROOT
from triptych.serving import host, logs, sources
from triptych.serving.embedded import EmbeddedServer, lay_out_backends
from triptych.serving.private import SHARED_MEMORY
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


VARIABLES = """
import json
import os

import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        told = json.dumps(dict(os.environ))
        return [pb_utils.InferenceResponse(error=pb_utils.TritonError(told)) for _ in requests]
"""
"""A step that tells its environment."""

LIES = {
    "PYTHONPATH": "{folder}",
    "PYTHONHOME": "{folder}",
    "PYTHONSTARTUP": "{folder}/json.py",
    "LD_PRELOAD": "{folder}/none.so",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "grpc_proxy": "http://127.0.0.1:9",
    "LANG": "ru_RU.KOI8-R",
    "BASH_ENV": "{folder}/json.py",
}
"""What may stand in the environment of a shell."""

OWNER = """
import sys
from pathlib import Path

from triptych.serving.embedded import EmbeddedServer, lay_out_backends

server = EmbeddedServer(Path(sys.argv[1]), work=Path(sys.argv[2])).start()
print(server.metrics_socket.parent, server.pid, flush=True)
sys.stdin.read()
"""
"""A process that starts a server, and keeps it until it is told to end."""


def owned_server(small: Path, tmp_path: Path) -> tuple[subprocess.Popen[str], Path, list[psutil.Process]]:
    """Start a process with a server; return it, the server's private folder, and the server's processes."""
    command = [sys.executable, "-c", OWNER, small, tmp_path / "work"]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout
    folder, pid = owner.stdout.readline().split()
    process = psutil.Process(int(pid))
    return owner, Path(folder), [process, *process.children(recursive=True)]


def is_ready(server: EmbeddedServer) -> bool:
    with triton.InferenceServerClient(server.grpc_url) as client:
        return bool(client.is_model_ready(STEP))


def told_by(server: EmbeddedServer) -> str:
    """Return the words of a step that answers every request with an error."""
    given = [triton.InferInput(tensor.name, [0], tensor.dtype) for tensor in STEPS[STEP].inputs]
    for tensor in given:
        tensor.set_data_from_numpy(np.zeros(0, triton_to_np_dtype(tensor.datatype())))
    with (
        triton.InferenceServerClient(server.grpc_url) as client,
        pytest.raises(triton.InferenceServerException) as told,
    ):
        client.infer(STEP, given)
    return str(told.value.message())


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
    with EmbeddedServer(Path("models"), work=Path("work")) as server:
        told = told_by(server)
    assert told == f"{Path(triptych.__file__).resolve()} {Path(triptych_client.__file__).resolve()}"


def test_a_model_that_fails_to_load_is_told_in_the_log_s_words(small: Path, tmp_path: Path):
    (small / STEP / "1" / "model.py").write_text("raise RuntimeError('no such luck')\n")
    with pytest.raises(TriptychError, match=rf"(?s)Triton did not start:.*'{STEP}'.*no such luck.*Its log: .*\.log"):
        EmbeddedServer(small, work=tmp_path / "work").start()


def test_a_server_that_dies_at_start_is_told_with_its_last_words(small: Path, tmp_path: Path):
    server = EmbeddedServer(small, work=tmp_path / "work", options=["--no-such-flag"])
    with pytest.raises(TriptychError, match=r"(?s)Triton did not start:.*unrecognized option '--no-such-flag'"):
        server.start()
    assert server.pid == 0


@pytest.mark.parametrize("name", ["my models", "it's $HOME & more; (a copy)", "модели", "a" * 120])
def test_any_path_will_do(name: str, small: Path, tmp_path: Path):
    folder = tmp_path / name
    folder.mkdir()
    with EmbeddedServer(small.rename(folder / "models"), work=folder / "work") as server:
        assert is_ready(server)


def test_what_other_programs_are_told_by_the_environment_does_not_reach_the_steps(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (small / STEP / "1" / "model.py").write_text(VARIABLES)
    for name in ("numpy.py", "json.py", "sitecustomize.py"):
        (tmp_path / name).write_text("raise ImportError('the module of another')\n")
    for name, value in LIES.items():
        monkeypatch.setenv(name, value.format(folder=tmp_path))
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("TRIPTYCH_MAX_SECONDS", "61")
    with EmbeddedServer(small, work=tmp_path / "work", environment={"TRIPTYCH_TICKETS": "here"}) as server:
        seen = json.loads(told_by(server))
    assert not LIES.keys() & seen.keys()
    assert (seen["TRIPTYCH_MAX_SECONDS"], seen["TRIPTYCH_TICKETS"], seen["LC_ALL"]) == ("61", "here", "C.UTF-8")


def test_a_work_folder_that_cannot_be_written_is_told_with_the_remedies(small: Path, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(TriptychError, match=r"cannot write into .*file/work: Not a directory.*--work.*TRIPTYCH_HOME"):
        EmbeddedServer(small, work=tmp_path / "file" / "work").start()


def test_too_few_files_are_told_in_one_sentence(small: Path, tmp_path: Path):
    start = (
        "import resource, sys; from pathlib import Path; from triptych.serving.embedded import EmbeddedServer\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "EmbeddedServer(Path(sys.argv[1]), work=Path(sys.argv[2])).start()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", start, small, tmp_path / "work"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert re.search(r"64 files open here, and Triton takes \d+: raise the limit with ulimit", ended.stderr)


def test_triton_gets_the_files_that_it_may_have(small: Path, tmp_path: Path):
    start = (
        "import resource, sys; from pathlib import Path; from triptych.serving.embedded import EmbeddedServer\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 4096))\n"
        "with EmbeddedServer(Path(sys.argv[1]), work=Path(sys.argv[2])) as server:\n"
        "    print(Path(f'/proc/{server.pid}/limits').read_text())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", start, small, tmp_path / "work"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert re.search(r"Max open files +4096 +4096", ended.stdout)


def test_nothing_is_left_after_the_stop(small: Path, tmp_path: Path):
    server = EmbeddedServer(small, work=tmp_path / "work").start()
    folder, pid = Path(server.metrics_socket).parent, server.pid
    assert list(SHARED_MEMORY.glob(f"{folder.name}_*"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert server.stop() == 0
    assert not list(SHARED_MEMORY.glob(f"{folder.name}*"))
    assert not psutil.pid_exists(pid)


def test_what_a_killed_owner_leaves_the_next_server_sweeps_away(small: Path, tmp_path: Path):
    owner, folder, processes = owned_server(small, tmp_path)
    assert folder.is_dir()
    owner.kill()
    owner.wait()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive
    with EmbeddedServer(small, work=tmp_path / "work") as server:
        assert is_ready(server)
        assert not list(SHARED_MEMORY.glob(f"{folder.name}*"))


def test_the_steps_end_with_a_triton_that_is_killed(small: Path, tmp_path: Path):
    with EmbeddedServer(small, work=tmp_path / "work") as server:
        steps = psutil.Process(server.pid).children(recursive=True)
        assert steps
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        _, alive = psutil.wait_procs(steps, timeout=30)
        assert not alive


def test_a_restart_is_at_the_same_address_and_clean(small: Path, tmp_path: Path):
    with EmbeddedServer(small, work=tmp_path / "work") as server:
        url, before = server.grpc_url, set(SHARED_MEMORY.glob(f"{server.metrics_socket.parent.name}_*"))
        server.restart()
        assert server.grpc_url == url
        assert is_ready(server)
        assert before
        assert not [region for region in before if region.exists()]


def test_a_thread_that_starts_it_may_end(small: Path, tmp_path: Path):
    server = EmbeddedServer(small, work=tmp_path / "work")
    starter = Thread(target=server.start)
    starter.start()
    starter.join()
    try:
        assert is_ready(server)
    finally:
        assert server.stop() == 0


def test_a_start_is_given_up_when_another_thread_stops_the_server(small: Path, tmp_path: Path):
    (small / STEP / "1" / "model.py").write_text("import threading\nthreading.Event().wait()\n")
    server = EmbeddedServer(small, work=tmp_path / "work")
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(server.start)
        deadline = time.monotonic() + 60
        while not server.pid:
            assert time.monotonic() < deadline
        folder = server.metrics_socket.parent
        server.stop(0)
        with pytest.raises(TriptychError, match="Triton"):
            started.result(timeout=60)
    server.stop(0)
    assert not list(SHARED_MEMORY.glob(f"{folder.name}*"))


def test_servers_write_a_log_each_and_old_ones_go(small: Path, tmp_path: Path):
    work = tmp_path / "work"
    work.mkdir()
    old = [work / f"triptych-{number:08}.log" for number in range(logs.KEPT + 3)]
    for age, path in enumerate(old):
        path.write_text("of another server")
        os.utime(path, (age, age))
    with EmbeddedServer(small, work=work) as first:
        os.utime(first.log, (0, 0))
        with EmbeddedServer(small, work=work) as second:
            kept = set(work.glob("*.log"))
        assert {first.log, second.log} < kept
        assert len(kept) == logs.KEPT + 1
        assert all(path.read_text() == "of another server" for path in old if path.exists())


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
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait() == server.status == -signal.SIGKILL
    server.stop()


def test_another_triton_is_served_with_its_own_backends(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As in NVIDIA's container: binaries, libraries and backends lie in one folder, and nothing is laid out beside."""
    wheel, home = host.triton_home(), tmp_path / "tritonserver"
    lay_out_backends(home / "backends")
    for name, target in {"bin": wheel / "bin", "caches": wheel / "caches", "lib": host.triton_libraries()}.items():
        (home / name).symlink_to(target)
    monkeypatch.setenv(host.TRITON, str(home))
    with EmbeddedServer(small, work=tmp_path / "work") as server:
        assert Path(psutil.Process(server.pid).cmdline()[0]) == home / "bin" / "tritonserver"
        stubs = {Path(process.exe()) for process in psutil.Process(server.pid).children(recursive=True)}
    assert home / "backends" / "python" / "triton_python_backend_stub" in stubs
    assert not (tmp_path / "work" / "backends").exists()
