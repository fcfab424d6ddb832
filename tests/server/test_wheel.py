"""The server as wheels, on a host that has none of the exporter's packages: from an empty folder to the same answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from export import catalog
from samples.blocked import hide_from
from samples.repositories import take_exports
from triptych.paths import ROOT
from triptych.serving.host import free_port
from triptych_client import Client
from triptych_client.plugins import SERVER_COMMANDS

pytestmark = pytest.mark.server

EXPORTER = ("torch", "transformers", "onnx", "onnxscript", "safetensors", "h5py")


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the two wheels, a home for what they write, and an empty folder to start from."""

    binaries: Path
    home: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a shell in which no checkout is known."""
        kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        return {**kept, "TRIPTYCH_HOME": str(self.home)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `triptych` to its end."""
        return subprocess.run(
            [self.binaries / "triptych", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run `triptych serve`; give the address for gRPC."""
        ports = {name: free_port() for name in ("grpc", "metrics")}
        options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
        with subprocess.Popen(
            [self.binaries / "triptych", "serve", *options],
            cwd=self.folder,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr
                lines: list[str] = []
                while not any("serving" in line for line in lines):
                    lines.append(process.stderr.readline())
                    assert lines[-1], "".join(lines)
                yield f"127.0.0.1:{ports['grpc']}"
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        assert process.returncode == 0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build both wheels, and install them where the third-party packages of this environment are, but for EXPORTER."""
    root = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip"]
    wheels = root / "wheels"
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    subprocess.run([*pip, *build, str(ROOT / "client"), str(ROOT)], check=True)
    venv.create(root / "venv", with_pip=False, symlinks=True)
    python = root / "venv" / "bin" / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", *wheels.iterdir()], check=True
    )
    site_packages = next((root / "venv" / "lib").glob("python*/site-packages"))
    (site_packages / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    hide_from(site_packages, *EXPORTER)
    (root / "empty").mkdir()
    return Installed(root / "venv" / "bin", root / "home", root / "empty")


@pytest.fixture(scope="module")
def home(installed: Installed, repository: Path) -> Path:
    """Bring exports of another machine to the installed server, and let it complete them."""
    defaults = {step: entry.name for step, entry in catalog.choose({}).items()}
    take_exports(repository, installed.home / "model_repository", defaults)
    exported = installed.run("export")
    assert (exported.returncode, exported.stdout) == (0, ""), exported.stderr
    return installed.home


def same(one: object, other: object) -> bool:
    """Tell whether two answers are equal, numbers to 1e-4."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (isinstance(one, float) and one == pytest.approx(other, abs=1e-4))


def test_before_an_export_serve_names_the_command_that_mends_it(installed: Installed):
    refused = installed.run("serve")
    assert refused.returncode == 1
    assert "no models are exported. Run: triptych export" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_every_command_is_listed(installed: Installed):
    listed = installed.run("--help")
    assert listed.returncode == 0
    assert all(command in listed.stdout for command in SERVER_COMMANDS)
    assert "Needs the server package" not in listed.stdout


@pytest.mark.usefixtures("home")
def test_the_doctor_and_the_list_need_no_exporter(installed: Installed):
    checked = installed.run("doctor")
    assert "ok  models            all exported" in checked.stdout
    assert "export extra      not installed" in checked.stdout
    assert checked.stderr == ""
    listed = installed.run("export", "--list")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert {"swinv2", "(chosen)"} <= set(listed.stdout.split())  # cells are broken where the console is narrow


@pytest.mark.usefixtures("home")
def test_what_has_to_be_exported_names_the_extra(installed: Installed):
    refused = installed.run("export", "--set", "voice=no-voice")
    assert refused.returncode == 1
    assert "is missing: pip install 'triptych[export]'" in refused.stderr


@pytest.mark.usefixtures("home")
def test_it_serves_the_same_answer_from_an_empty_folder(installed: Installed, client: Client, short_clip: Path):
    with installed.serving() as url:
        out = installed.home / "answer.json"
        asked = installed.run("analyze", str(short_clip), "--url", url, "--format", "json", "--out", str(out))
    assert asked.returncode == 0, asked.stderr
    answer, expected = (json.loads(text) for text in (out.read_text("utf-8"), client.analyze(short_clip).to_json()))
    assert answer["emotion"]["label"]
    assert same(answer, expected)
    assert list(installed.folder.iterdir()) == []


def test_what_was_changed_since_is_not_served(installed: Installed, home: Path):
    path = home / "model_repository" / "voice_emotion" / "1" / "model.onnx"
    exported = path.read_bytes()
    path.unlink()  # it may be a second name of the file that the session's server has
    path.write_bytes(exported[:-1])
    refused = installed.run("serve")
    path.write_bytes(exported)
    assert refused.returncode == 1
    assert "voice_emotion/1/model.onnx is not what was exported. Run: triptych export" in " ".join(
        refused.stderr.split()
    )
