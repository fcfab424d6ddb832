"""Puts Triptych up on a host without a network, from the bundle that this file lies in.

    python3 install.py [--to FOLDER] [--check]

Needs the Python that the bundle was made for, and nothing else: what is here is built on the standard library alone,
and reads as Python 3.7, so that an older Python is told what it lacks. Nothing is written outside FOLDER.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "bundle.json"
FORMAT = 1
"""Of the manifest: raised when an older install.py could not read it."""
WHEELS, REPOSITORY, CLIP, CHECKS = "wheels", "home/model_repository", "home/build/demo/demo.mp4", "checks"
"""Paths in the archive, which are those below FOLDER."""
HOME, VENV, UNFINISHED = "home", "venv", ".unfinished"
BLOCK_BYTES = 1 << 20


class Refused(Exception):  # noqa: N818  (what it says is for people)
    """It cannot be put up; the words say why, and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Check the bundle, put it up, and let the doctor look at the host; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path("triptych"), help="a new folder; ./triptych when left out")
    parser.add_argument("--check", action="store_true", help="only compare the bundle with its checksums")
    chosen = parser.parse_args(arguments)
    try:
        bundle = Bundle(Path(__file__).resolve().parent)
        bundle.check_parts()
        if chosen.check:
            print("every part is there, and as it was made")
            return 0
        bundle.check_host()
        return put_up(bundle, chosen.to.absolute())
    except Refused as refused:
        print(f"install.py: {refused}", file=sys.stderr)
        return 1


class Bundle:
    """The folder with the parts and the manifest of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(f"{folder / MANIFEST} cannot be read: {error}. Copy the bundle anew") from error
        if self.told.get("format") != FORMAT:
            raise Refused(f"{MANIFEST} is of format {self.told.get('format')}, and this install.py reads {FORMAT}")

    def check_host(self) -> None:
        """Refuse a host that nothing in the bundle fits."""
        wanted, here = self.told["python"], "{}.{}".format(*sys.version_info[:2])
        if here != wanted or platform.python_implementation() != "CPython":
            found = f"{platform.python_implementation()} {platform.python_version()}"
            raise Refused(
                f"this bundle is for CPython {wanted}, and this is {found}: run python{wanted} install.py, or make "
                f"another bundle with `triptych bundle --python {here}`"
            )
        machine = f"{platform.system()} {platform.machine()}"
        if machine != "Linux x86_64":
            raise Refused(f"this bundle is for Linux x86_64, and this is {machine}")
        name, number = platform.libc_ver()
        numbers = [int(word) for word in re.findall(r"\d+", number)[:2]]
        if name != "glibc" or numbers < self.told["glibc"]:
            least = ".".join(map(str, self.told["glibc"]))
            raise Refused(
                f"this bundle needs glibc {least} or newer, and this is {name or 'another C library'} {number}: "
                "Debian 12, Ubuntu 22.04 or newer has it"
            )

    def check_parts(self) -> None:
        """Compare each part with its length and sha256; Refused names all that are missing or damaged."""
        wrong = [words for part in self.told["parts"] for words in [self._fault(part)] if words]
        if wrong:
            raise Refused(f"the bundle is not whole: {'; '.join(wrong)}. Copy these parts anew")

    def _fault(self, part: dict[str, Any]) -> str:
        path = self.folder / part["name"]
        if not path.is_file():
            return f"{part['name']} is missing"
        size = path.stat().st_size
        if size != part["bytes"]:
            return f"{part['name']} has {size} bytes in place of {part['bytes']}"
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for block in iter(lambda: file.read(BLOCK_BYTES), b""):
                digest.update(block)
        return "" if digest.hexdigest() == part["sha256"] else f"{part['name']} is damaged: its sha256 is another"

    def unpack(self, target: Path) -> None:
        """Write every file of the archive below a folder, each compared with its sha256."""
        files, missing = self.told["files"], set(self.told["files"])
        parts = [self.folder / part["name"] for part in self.told["parts"]]
        with Joined(parts) as joined, tarfile.open(fileobj=joined, mode="r|", bufsize=BLOCK_BYTES) as archive:
            for member in archive:
                if member.name not in missing:
                    raise Refused(f"the archive has {member.name}, which {MANIFEST} does not list")
                missing.remove(member.name)
                write(member, archive.extractfile(member) if member.isfile() else None, files, target)
        if missing:
            raise Refused(f"the archive lacks {sorted(missing)[0]} and {len(missing) - 1} more files of {MANIFEST}")


class Joined(io.RawIOBase):
    """The parts as one file that is read from its beginning to its end."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__()
        self._paths = iter(paths)
        self._file: IO[bytes] | None = None

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes; fewer at the end of a part, none at the end of all."""
        while True:
            data = self._file.read(size) if self._file else b""
            if data:
                return data
            path = next(self._paths, None)
            self._end()
            if path is None:
                return b""
            self._file = path.open("rb")

    def close(self) -> None:
        """End the part that is being read."""
        self._end()
        super().close()

    def _end(self) -> None:
        if self._file:
            self._file.close()
            self._file = None


def write(member: tarfile.TarInfo, source: IO[bytes] | None, files: dict[str, Any], target: Path) -> None:
    """Write a file or a link of the archive; Refused when it is not as listed, or would lie outside the folder."""
    told, path = files[member.name], target / member.name
    if os.path.isabs(member.name) or ".." in Path(member.name).parts:
        raise Refused(f"{member.name} would lie outside {target}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if source is None:
        inside = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))
        if member.linkname != told.get("link") or os.path.isabs(member.linkname) or inside.startswith(".."):
            raise Refused(f"{member.name} is no file of the bundle, but leads to {member.linkname}")
        path.symlink_to(member.linkname)
        return
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for block in iter(lambda: source.read(BLOCK_BYTES), b""):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != told.get("sha256"):
        raise Refused(f"{member.name} is not as it was packed: its sha256 is another")
    path.chmod(member.mode & 0o755)


def put_up(bundle: Bundle, target: Path) -> int:
    """Write everything into a new folder; return 0 when the doctor has nothing to say about this host, else 1."""
    try:
        begin(target, bundle.told["needed_bytes"])
        print(f"unpacking into {target}", flush=True)
        bundle.unpack(target)
        print("installing the packages", flush=True)
        install_packages(target)
        write_launchers(target)
    except OSError as error:
        raise Refused(f"cannot write into {target}: {error}. Run the same command when that is mended") from error
    (target / UNFINISHED).unlink()
    return look(target, bundle.told["cuda"])


def begin(target: Path, needed_bytes: int) -> None:
    """Make the folder, or empty one that was left unfinished; Refused when it holds something else, or is too small."""
    if (target / UNFINISHED).is_file():
        shutil.rmtree(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(
            f"{target} is there already: name a new folder by --to. Versions stand side by side, so that going back is "
            "starting the other one"
        )
    target.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target).free
    if free < needed_bytes:
        raise Refused(
            f"{target} has {free / 1e6:.0f} MB free, and {needed_bytes / 1e6:.0f} MB are needed: free some space, or "
            "name another folder by --to"
        )
    (target / UNFINISHED).touch()


def install_packages(target: Path) -> None:
    """Make a virtual environment of the wheels, by the pip that is among them, and remove the wheels."""
    wheels, python = sorted((target / WHEELS).glob("*.whl")), target / VENV / "bin" / "python"
    pip = next(path for path in wheels if path.name.startswith("pip-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    options = ["--no-index", "--no-deps", "--no-cache-dir", "--quiet", "--disable-pip-version-check"]
    commands = [
        [sys.executable, "-I", "-m", "venv", "--without-pip", str(target / VENV)],
        # A wheel is a zip file, which Python runs a package of. All that is needed is here, so nothing is looked up.
        [str(python), str(pip / "pip"), "install", *options, *map(str, wheels)],
    ]
    for command in commands:
        done = subprocess.run(
            command,
            env={**kept, "PIP_CONFIG_FILE": os.devnull},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            raise Refused(f"{' '.join(command[:6])} ... failed:\n{done.stdout.decode(errors='replace')[-2000:]}")
    shutil.rmtree(target / WHEELS)


def write_launchers(target: Path) -> None:
    """Write the commands of this installation: what they run is its own, wherever they are called from."""
    home, venv = shlex.quote(str(target / HOME)), shlex.quote(str(target / VENV / "bin"))
    run = "import runpy; runpy.run_module('benchmarks.gpu_check', run_name='__main__', alter_sys=True)"
    code = f"import sys; sys.path.insert(0, {str(target / CHECKS)!r}); {run}"
    start = f"#!/bin/sh\nTRIPTYCH_HOME=${{TRIPTYCH_HOME:-{home}}}\nexport TRIPTYCH_HOME\n"
    commands = {
        "triptych": f'exec {venv}/triptych "$@"\n',
        # Not `python -m`, which looks into the folder that it is called in before all others.
        "gpu-check": f'exec {venv}/python -I -c {shlex.quote(code)} "$@"\n',
    }
    for name, command in commands.items():
        (target / name).write_text(start + command, encoding="utf-8")
        (target / name).chmod(0o755)


def look(target: Path, cuda: bool) -> int:
    """Run `triptych doctor`, and say how to go on; return its exit status."""
    status = subprocess.run([str(target / "triptych"), "doctor"], check=False).returncode
    for line in _next_steps(target, cuda):
        print(line)
    if status:
        print("It is put up, but this host lacks what the doctor names: mend that, then ask the doctor again.")
    return status


def _next_steps(target: Path, cuda: bool) -> Iterator[str]:
    profile = " --option=--model-config-name=cuda" if cuda else ""
    yield f"\nCheck this host:  {target}/triptych doctor"
    yield f"Serve:            {target}/triptych serve{profile}"
    yield f"Ask:              {target}/triptych analyze {target / CLIP}"
    if cuda:
        yield f"Try the GPU:      {target}/gpu-check"


if __name__ == "__main__":
    sys.exit(main())
