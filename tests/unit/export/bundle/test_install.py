"""A bundle of small files: packed, cut, damaged, and put together again by install.py as a host runs it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.bundle import archive, install, pack
from export.bundle.archive import Cut, Member
from export.bundle.requirements import Target
from triptych import generations
from triptych.answer.manifest import MODELS_FILE

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
PART_BYTES = 4096


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A folder of files to be packed: two that go over several parts, a program, and a link."""
    folder = tmp_path / "content"
    (folder / "home").mkdir(parents=True)
    for name, size in {"one.bin": 3 * PART_BYTES, "home/two.bin": PART_BYTES + 1, "empty": 0}.items():
        (folder / name).write_bytes(os.urandom(size))
    (folder / "run").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "run").chmod(0o700)
    (folder / "home" / "link").symlink_to("two.bin")
    return folder


@pytest.fixture
def bundle(content: Path, tmp_path: Path) -> Path:
    """These files as a bundle for this Python, with install.py."""
    return make(content, tmp_path / "bundle")


def make(content: Path, folder: Path, python: str = HERE) -> Path:
    folder.mkdir()
    files = [path for path in sorted(content.rglob("*")) if not path.is_dir()]
    members = [Member(path.relative_to(content).as_posix(), path) for path in files]
    pack.describe(folder, Target(python), archive.write(members, folder, PART_BYTES), needed_bytes=1)
    return folder


def run(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run install.py on a Python that has its standard library alone."""
    command = [sys.executable, "-I", "-S", str(bundle / "install.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refusal(bundle: Path, *arguments: str) -> str:
    ended = run(bundle, *arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback" not in ended.stderr
    return ended.stderr


def parts(bundle: Path) -> list[Path]:
    return sorted(bundle.glob(f"{archive.STEM}.*"))


def change(bundle: Path, **changes: Any) -> None:
    path = bundle / install.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def test_a_whole_bundle_gives_back_what_was_packed(bundle: Path, content: Path, tmp_path: Path):
    assert len(parts(bundle)) > 3
    assert all(path.stat().st_size == PART_BYTES for path in parts(bundle)[:-1])
    assert run(bundle, "--check").returncode == 0
    install.Bundle(bundle).unpack(tmp_path / "there")
    for path in content.rglob("*"):
        there = tmp_path / "there" / path.relative_to(content)
        assert there.is_symlink() == path.is_symlink()
        if path.is_file():
            assert there.read_bytes() == path.read_bytes()
    assert os.access(tmp_path / "there" / "run", os.X_OK)
    assert not os.access(tmp_path / "there" / "one.bin", os.X_OK)


def test_the_same_files_make_the_same_bundle(bundle: Path, content: Path, tmp_path: Path):
    os.utime(content / "one.bin", (1, 1))
    again = make(content, tmp_path / "again")
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


def test_its_sums_are_those_of_sha256sum(bundle: Path):
    checked = subprocess.run(
        ["sha256sum", "--check", pack.SUMS], cwd=bundle, capture_output=True, text=True, check=True
    )
    assert len(checked.stdout.splitlines()) == len(parts(bundle)) + 2


def test_every_part_that_is_missing_or_damaged_is_named_and_nothing_is_written(bundle: Path, tmp_path: Path):
    first, second, third = parts(bundle)[:3]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    third.write_bytes(third.read_bytes()[:-1] + b"?")
    words = refusal(bundle, "--to", str(tmp_path / "there"))
    assert f"{first.name} is missing" in words
    assert f"{second.name} has {PART_BYTES - 1} bytes in place of {PART_BYTES}" in words
    assert f"{third.name} is damaged" in words
    assert "Copy these parts anew" in words
    assert parts(bundle)[3].name not in words
    assert not (tmp_path / "there").exists()


def test_another_python_is_refused_with_the_two_ways_out(content: Path, tmp_path: Path):
    words = refusal(make(content, tmp_path / "other", "3.9"))
    assert f"for CPython 3.9, and this is CPython {HERE}" in words
    assert "python3.9 install.py" in words
    assert f"triptych bundle --python {HERE}" in words


def test_an_older_glibc_and_a_manifest_of_another_format_are_refused(bundle: Path):
    change(bundle, glibc=[9, 1])
    assert "needs glibc 9.1 or newer" in refusal(bundle)
    change(bundle, format=2)
    assert "format 2" in refusal(bundle)
    (bundle / install.MANIFEST).write_text("{", encoding="utf-8")
    assert "cannot be read" in refusal(bundle)


def test_a_folder_that_holds_something_is_left_alone(bundle: Path, tmp_path: Path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").touch()
    assert "is there already" in refusal(bundle, "--to", str(tmp_path / "there"))
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine"]


def test_a_disk_that_is_too_small_is_refused_before_anything_is_unpacked(bundle: Path, tmp_path: Path):
    change(bundle, needed_bytes=1 << 60)
    assert "MB are needed" in refusal(bundle, "--to", str(tmp_path / "there"))
    assert list((tmp_path / "there").iterdir()) == []


def test_the_commands_run_what_is_installed_wherever_they_are_called_from(tmp_path: Path):
    target, elsewhere = tmp_path / "it's there", tmp_path / "elsewhere"
    for folder, said in ((target / install.CHECKS, "ours"), (elsewhere, "another")):
        (folder / "benchmarks" / "gpu_check").mkdir(parents=True)
        code = f"import os, sys; print({said!r}, sys.argv[1:], os.environ['TRIPTYCH_HOME'])"
        (folder / "benchmarks" / "gpu_check" / "__main__.py").write_text(code, encoding="utf-8")
    (target / install.VENV / "bin").mkdir(parents=True)
    (target / install.VENV / "bin" / "python").symlink_to(sys.executable)
    install.write_launchers(target)
    kept = {name: value for name, value in os.environ.items() if name != "TRIPTYCH_HOME"}
    ran = subprocess.run(
        [target / "gpu-check", "--device=cpu"], cwd=elsewhere, env=kept, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"ours ['--device=cpu'] {target / install.HOME}\n"


def test_what_was_left_unfinished_is_begun_anew(tmp_path: Path):
    target = tmp_path / "there"
    install.begin(target, 1)
    (target / "half").touch()
    install.begin(target, 1)
    assert [path.name for path in target.iterdir()] == [install.UNFINISHED]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"empty": {"bytes": 0, "sha256": "0" * 64}}, "empty is not as it was packed"),
        ({"home/link": {"link": "../one.bin"}}, "leads to two.bin"),
        ({"more": {"bytes": 0, "sha256": "0" * 64}}, "the archive lacks more"),
        ({"run": None}, "the archive has run, which bundle.json does not list"),
    ],
)
def test_an_archive_that_is_not_as_listed_is_refused(changes: dict[str, Any], words: str, bundle: Path, tmp_path: Path):
    files = json.loads((bundle / install.MANIFEST).read_text(encoding="utf-8"))["files"] | changes
    change(bundle, files={name: told for name, told in files.items() if told})
    with pytest.raises(install.Refused, match=words):
        install.Bundle(bundle).unpack(tmp_path / "there")


@pytest.mark.parametrize("path", ["../out", "/out"])
def test_nothing_is_written_outside_the_folder(path: str, content: Path, tmp_path: Path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    packed = archive.write([Member(path, content / "run")], folder)
    pack.describe(folder, Target(HERE), packed, needed_bytes=1)
    with pytest.raises(install.Refused, match="would lie outside"):
        install.Bundle(folder).unpack(tmp_path / "a" / "there")
    assert not list(tmp_path.rglob("out"))


@given(st.lists(st.binary(max_size=40)), st.integers(0, 17))
def test_however_it_is_written_and_cut_the_parts_join_to_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[bytes], part_bytes: int
):
    folder = tmp_path_factory.mktemp("cut")
    with Cut(folder, part_bytes) as cut:
        for block in blocks:
            cut.write(block)
    paths = [folder / part.name for part in cut.parts]
    with install.Joined(paths) as joined:
        data = b"".join(iter(lambda: joined.read(7), b""))
    assert data == b"".join(blocks)
    assert [part.bytes for part in cut.parts] == [path.stat().st_size for path in paths]
    assert not part_bytes or all(part.bytes == part_bytes for part in cut.parts[:-1])


def test_an_old_python_reads_install_far_enough_to_be_refused():
    ast.parse(Path(install.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_of_a_repository_the_present_manifest_is_packed_alone(tmp_path: Path):
    step = tmp_path / "fusion" / "1"
    for number in (1, 2):
        generations.publish(step, {MODELS_FILE: f"[{number}]".encode()})
    (step / "__pycache__").mkdir()
    (step / "__pycache__" / "model.pyc").touch()
    (tmp_path / "emotion" / "1").mkdir(parents=True)
    (tmp_path / "emotion" / "1" / ".gitkeep").touch()
    assert len(list(step.glob(f"{generations.PREFIX}*"))) == 2
    present, prefix = generations.current(step).name, install.REPOSITORY
    assert {member.path for member in pack.repository_files(tmp_path)} == {
        f"{prefix}/emotion/1/.gitkeep",
        f"{prefix}/fusion/1/{generations.LINK}",
        f"{prefix}/fusion/1/{MODELS_FILE}",
        f"{prefix}/fusion/1/{present}/{MODELS_FILE}",
    }


def test_a_folder_with_another_bundle_is_not_written_into(tmp_path: Path):
    (tmp_path / "triptych.tar.001").touch()
    with pytest.raises(pack.TriptychError, match="is not empty"):
        pack.pack(tmp_path, tmp_path, tmp_path, Target(HERE), 0, print)


def test_a_repository_without_models_is_not_packed(tmp_path: Path):
    with pytest.raises(pack.TriptychError, match="no models are exported"):
        pack.pack(tmp_path / "out", tmp_path / "models", tmp_path, Target(HERE), 0, print)
    assert not (tmp_path / "out").exists()
