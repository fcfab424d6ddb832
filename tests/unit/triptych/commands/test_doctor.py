"""Each check of `triptych doctor`, well and not well, and the bare Python that it must run on."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from samples.blocked import python_without
from triptych import resources
from triptych.commands import doctor
from triptych.commands.doctor import Finding
from triptych.media.decoders import sandbox
from triptych.paths import ROOT
from triptych.serving import host, shared_memory

THIRD_PARTY = ("numpy", "rich", "typer", "psutil", "tritonclient", "triptych_client", "platformdirs", "filelock")


def test_the_machine(monkeypatch: pytest.MonkeyPatch):
    assert doctor.machine() == Finding("machine", True, "Linux x86_64", doctor.machine().remedy)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert not doctor.machine().ok
    assert doctor.machine().found == "Linux aarch64"


@pytest.mark.parametrize(("version", "ok"), [((3, 9), False), ((3, 10), True), ((3, 12), True), ((3, 13), False)])
def test_the_version_of_python(version: tuple[int, int], ok: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))
    assert doctor.python().ok is ok
    assert "make demo PYTHON=python3.11" in doctor.python().remedy


def test_the_python_that_the_tests_run_on_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "PYTHON", "3.12")
    assert doctor.python().found.endswith(f"(the tests run on {doctor.TESTED})")
    monkeypatch.setattr(doctor, "PYTHON", doctor.TESTED)
    assert doctor.python().found == platform.python_version()


def test_decoders_without_a_filter_are_told_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox, "available", lambda: "")
    assert doctor.decoders() == Finding("decoders", True, "filtered by seccomp")
    monkeypatch.setattr(sandbox, "available", lambda: "libseccomp is missing")
    assert doctor.decoders().found == "without a filter of system calls: libseccomp is missing"


@pytest.mark.parametrize(
    ("library", "ok"),
    [(("glibc", "2.36"), True), (("glibc", "2.35"), True), (("glibc", "2.31"), False), (("", ""), False)],
)
def test_the_c_library(library: tuple[str, str], ok: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    assert doctor.glibc().ok is ok
    assert doctor.glibc().found


def test_the_shared_library_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert doctor.libpython().ok
    monkeypatch.setitem(sysconfig.get_config_vars(), "LIBDIR", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(host, "SYSTEM_LIBRARIES", tmp_path)
    missing = doctor.libpython()
    assert (missing.ok, missing.found) == (False, f"no {host.LIBPYTHON}")
    assert missing.remedy.endswith(f"apt-get install libpython{host.PYTHON}")
    (tmp_path / host.LIBPYTHON).touch()
    assert doctor.libpython().ok


@pytest.mark.parametrize("name", ["models", "my models", "$HOME & (copy)", "модели"])
def test_a_folder_that_will_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "MODEL_REPOSITORY", tmp_path / name / "model_repository")
    assert doctor.folders() == Finding("folder", True, str(tmp_path / name))


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(doctor, "BUILD", tmp_path / "file" / "build")
    assert (doctor.folders().ok, doctor.folders().found) == (False, f"{tmp_path / 'file' / 'build'} cannot be written")
    assert "TRIPTYCH_HOME" in doctor.folders().remedy


def test_what_makes_virtual_environments(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert doctor.virtual_environments().ok
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert not doctor.virtual_environments().ok
    assert "-venv" in doctor.virtual_environments().remedy


@pytest.fixture
def metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Metadata of packages before all others; what is written there is installed, as far as metadata tell."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def install(folder: Path, name: str, version: str, *needs: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))


def test_the_packages(metadata: Path):
    install(metadata, "triptych", "0.1", "numpy==1.26.4", "old-one; python_version < '3.11'", "x; extra == 'export'")
    assert doctor.packages() == Finding("packages", True, "installed", doctor.INSTALL)
    shutil.rmtree(metadata / "triptych-0.1.dist-info")
    install(metadata, "triptych", "0.1", "numpy==1.26.4", "no-such-package>=2")
    assert doctor.packages().found == "missing: no-such-package"
    assert "pip install --editable client --editable '.[export,demo]'" in doctor.packages().remedy


def test_the_exporter_may_be_missing(monkeypatch: pytest.MonkeyPatch):
    assert doctor.exporter() == Finding("export extra", True, "installed")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert doctor.exporter().ok
    assert doctor.exporter().found.startswith("not installed")


def test_numpy(metadata: Path):
    assert doctor.numpy().ok
    install(metadata, "numpy", "2.1.0")
    assert (doctor.numpy().ok, doctor.numpy().found) == (False, "2.1.0")
    assert "pip install numpy==1.26.4" in doctor.numpy().remedy


def test_the_embedded_triton(monkeypatch: pytest.MonkeyPatch):
    assert doctor.embedded_triton().ok
    assert doctor.embedded_triton().found.startswith("nvidia-pytriton 0.")
    monkeypatch.setitem(sys.modules, "pytriton", None)
    assert doctor.embedded_triton() == Finding("Triton", False, "missing", "pip install nvidia-pytriton==0.7.0")


def test_shared_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shared_memory, "free_bytes", lambda: 2 * doctor.GIB)
    assert doctor.shared_memory() == Finding("shared memory", True, "2.0 GiB free")
    monkeypatch.setattr(shared_memory, "free_bytes", lambda: 64 << 20)
    assert (doctor.shared_memory().ok, doctor.shared_memory().found) == (False, "0.1 GiB free")
    assert "docker run --shm-size" in doctor.shared_memory().remedy


@pytest.mark.parametrize(("gib", "ok"), [(8, True), (3, False)])
def test_memory(gib: int, ok: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "free_memory_bytes", lambda: gib * doctor.GIB)
    monkeypatch.setattr(resources, "memory_bytes", lambda: 16 * doctor.GIB)
    assert (doctor.memory().ok, doctor.memory().found) == (ok, f"{gib}.0 of 16.0 GiB available")


def test_memory_of_this_machine():
    told = float(doctor.memory().found.partition(" ")[0])
    assert 0 < told <= psutil.virtual_memory().total / doctor.GIB


def test_the_cores_of_a_quota(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "cores", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert doctor.cores() == Finding("cores", True, "1 of the machine's 64")


def test_the_limits_on_files_and_processes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resources, "most_processes", lambda: resources.UNLIMITED)
    monkeypatch.setattr(resources, "free_processes", lambda: resources.UNLIMITED)
    monkeypatch.setattr(resources, "most_files", lambda: 4096)
    assert doctor.limits() == Finding("limits", True, "4096 files, any number of more threads")
    monkeypatch.setattr(resources, "most_files", lambda: 64)
    assert (doctor.limits().ok, doctor.limits().found) == (False, "64 files, any number of more threads")
    assert "ulimit -Hn" in doctor.limits().remedy
    monkeypatch.setattr(resources, "most_files", lambda: 4096)
    monkeypatch.setattr(resources, "free_processes", lambda: 100)
    assert (doctor.limits().ok, doctor.limits().found) == (False, "4096 files, 100 more threads")
    assert "--pids-limit" in doctor.limits().remedy


def test_variables_that_mislead_other_programs_are_named_and_do_no_harm(monkeypatch: pytest.MonkeyPatch):
    for name in doctor.MISLEADING:
        monkeypatch.delenv(name, raising=False)
    assert doctor.variables() == Finding("environment", True, "nothing that misleads")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("http_proxy", "http://proxy")
    assert doctor.variables() == Finding("environment", True, "not passed on to Triton: PYTHONPATH, http_proxy")


def test_the_loopback_addresses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "why_not_listen", lambda port, address="127.0.0.1": "")
    assert (doctor.loopback().ok, doctor.loopback().found) == (True, "127.0.0.1, with IPv6")
    monkeypatch.setattr(doctor, "why_not_listen", lambda port, address="127.0.0.1": "no" if ":" in address else "")
    assert (doctor.loopback().ok, doctor.loopback().found) == (True, "127.0.0.1, without IPv6")
    monkeypatch.setattr(doctor, "why_not_listen", lambda port, address="127.0.0.1": f"cannot listen on {address}")
    assert (doctor.loopback().ok, doctor.loopback().found) == (False, "cannot listen on 127.0.0.1")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_ports(taken: int, monkeypatch: pytest.MonkeyPatch):
    free = host.free_port()
    monkeypatch.setattr(doctor, "PORTS", {"metrics": free})
    assert doctor.ports() == Finding("ports", True, f"{free} (metrics) are free", doctor.ports().remedy)
    monkeypatch.setattr(doctor, "PORTS", {"metrics": free, "gRPC": taken})
    held = f"port {taken} of 127.0.0.1 is held by {psutil.Process().name()} (pid {os.getpid()}, of user "
    assert not doctor.ports().ok
    assert doctor.ports().found.startswith(held)


def test_models(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "MODEL_REPOSITORY", repository)
    assert doctor.models() == Finding("models", True, "all exported")
    monkeypatch.setattr(doctor, "MODEL_REPOSITORY", tmp_path)
    assert doctor.models().found == "no models are exported"
    assert "Run: triptych export" in doctor.models().remedy
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'triptych[export]'" in doctor.models().remedy


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_before_any_install_it_says_what_is_missing():
    bare = run([sys.executable, "-S", "-E", "-m", "triptych.commands.doctor"])
    assert bare.stderr == ""
    assert bare.returncode == 1
    assert "NO  packages          missing: triptych" in bare.stdout
    assert "make demo" in bare.stdout


def test_no_check_needs_a_package_at_import(tmp_path: Path):
    imported = run([sys.executable, "-c", "import triptych.commands.doctor"], **python_without(tmp_path, *THIRD_PARTY))
    assert (imported.returncode, imported.stderr) == (0, "")


def test_make_doctor_runs_on_the_bare_python_where_nothing_is_set_up(tmp_path: Path):
    for name in ("Makefile", "triptych"):
        (tmp_path / name).symlink_to(ROOT / name)
    made = subprocess.run(
        ["make", "doctor", f"PYTHON={sys.executable} -S -E"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "NO  packages          missing: triptych" in made.stdout
    assert "Traceback" not in made.stderr


def test_what_is_shown_names_each_check_and_each_remedy(capsys: pytest.CaptureFixture[str]):
    doctor.show([Finding("a", True, "fine", "unneeded"), Finding("longer", False, "bad", "mend it")])
    assert capsys.readouterr().out == "ok  a       fine\nNO  longer  bad\n\nlonger: mend it\n"


def test_every_check_is_run():
    assert len(doctor.examine()) == len(doctor.CHECKS) == 20
