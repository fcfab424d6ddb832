"""Is the bundle what docs/deploy.md says? Makes one, and puts it up and serves from it without a network.

    python docker/check_bundle.py [--python PYTHON] [--part-mib 40] [--cuda] [--keep FOLDER] [--gpu-check]

PYTHON is the interpreter of the host that is played: another than this one shows that a bundle can be made for another.
The host has an empty folder, an empty environment and a network namespace of its own (unshare(1), ip(8)) with nothing
but its loopback: it refuses a bundle with a damaged part, puts a whole one up, passes its doctor, serves, and answers a
clip. `--gpu-check` also runs `gpu-check --device cpu` there. `--cuda` makes a bundle for a GPU host; it is put up, and
served from in the profile `cuda` as well, whose networks go back to the CPU where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "bundle"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READY_SECONDS = 180


def make(out: Path, version: str, part_mib: int, cuda: bool) -> None:
    """Make a bundle by the command that users run."""
    command = [sys.executable, "-c", "from triptych_client.cli import main; main()", "bundle", f"--out={out}"]
    options = [f"--part-mib={part_mib}", f"--python={version}", *(["--cuda"] if cuda else [])]
    began = time.monotonic()
    subprocess.run([*command, *options], check=True)
    print(f"made in {time.monotonic() - began:.0f} s", flush=True)


def version_of(python: str) -> str:
    """Return an interpreter's version, as in 3.12."""
    code = "import sys; print('{}.{}'.format(*sys.version_info[:2]))"
    return subprocess.run([python, "-I", "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def without_network(*arguments: str) -> None:
    """Run this script again, as the host that is played: nothing of this shell, and no network."""
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--net", *rights, "env", "--ignore-environment", f"PATH={PATH}", f"HOME={WORK / 'nobody'}"]
    code = 'ip link set lo up && exec "$@"'
    script = [sys.executable, "-I", str(Path(__file__).resolve()), "--inside", *arguments]
    done = subprocess.run([*command, "sh", "-c", code, "sh", *script], cwd="/", check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def inside(bundle: Path, python: str, cuda: bool, gpu_check: bool) -> None:
    """Be the host: refuse what is damaged, put up, ask the doctor, serve, answer."""
    assert [name for _, name in socket.if_nameindex()] == ["lo"], "there is a network"
    target = bundle.parent / "triptych"
    refuse_damage(bundle, python)
    began = time.monotonic()
    subprocess.run([python, str(bundle / "install.py"), "--to", str(target)], check=True)
    print(f"put up, and passed by its doctor, in {time.monotonic() - began:.0f} s", flush=True)
    serve(target)
    if cuda:
        serve(target, "--option=--model-config-name=cuda")
    if gpu_check:
        out = bundle.parent / "gpu-check"
        subprocess.run([str(target / "gpu-check"), "--device=cpu", f"--out={out}"], check=True)
        assert list(out.glob("*.md")), "gpu-check wrote no page"


def refuse_damage(bundle: Path, python: str) -> None:
    """Change one byte of a part, see it named, and change it back."""
    part, statuses = sorted(bundle.glob("triptych.tar.*"))[-1], []
    for _ in range(2):
        with part.open("r+b") as file:
            byte = file.read(1)[0]
            file.seek(0)
            file.write(bytes([byte ^ 1]))
        checked = subprocess.run(
            [python, str(bundle / "install.py"), "--check"], check=False, capture_output=True, text=True
        )
        print(checked.stderr.strip() or checked.stdout.strip(), flush=True)
        statuses.append(checked.returncode)
    assert statuses == [1, 0], "a damaged part is taken, or a whole one refused"


def serve(target: Path, *options: str) -> None:
    """Serve until a clip is answered, then end it as an operator does."""
    command = [str(target / "triptych"), "serve", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:
        assert service.stderr
        lines: list[str] = []
        try:
            while not any("serving" in line for line in lines):
                lines.append(service.stderr.readline())
                assert lines[-1], "".join(lines)
            asked = [str(target / "triptych"), "analyze", str(target / "home/build/demo/demo.mp4"), "--format=json"]
            answer = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
            print(f"the clip expresses {answer['emotion']['label']}, {answer['emotion']['confidence']:.3f}", flush=True)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(READY_SECONDS)
    print(f"ended on SIGTERM with status {service.returncode}", flush=True)
    assert service.returncode == 0


def main() -> None:
    """Make a bundle, and be its host."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}")
    parser.add_argument("--part-mib", type=int, default=40)
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--keep", type=Path, help="a new folder for what is made, which then stays")
    parser.add_argument("--gpu-check", action="store_true", help="also run gpu-check --device cpu on the host")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        return inside(chosen.inside, chosen.python, chosen.cuda, chosen.gpu_check)
    work = (chosen.keep or WORK).absolute()
    shutil.rmtree(WORK, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        make(work / "bundle", version_of(chosen.python), chosen.part_mib, chosen.cuda)
        files = list((work / "bundle").iterdir())
        print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.0f} MB", flush=True)
        flags = [*(["--cuda"] if chosen.cuda else []), *(["--gpu-check"] if chosen.gpu_check else [])]
        without_network(str(work / "bundle"), f"--python={chosen.python}", *flags)
    finally:
        if not chosen.keep:
            shutil.rmtree(WORK)
    return None


if __name__ == "__main__":
    main()
