"""Are the images what docs/deploy.md says? Builds them with podman on a Debian made by debootstrap, and runs one.

    python docker/check_container.py [--models model_repository] [--clip build/demo/demo.mp4] [--export] [--gpu]

Needs root, podman, runc and debootstrap (Debian packages), no registry: the base images' place is taken by a clean root
filesystem from Debian's mirror. So every line of docker/Dockerfile.cpu is run as it stands, and the service is run as
docker/compose.yaml runs it: read-only, as nobody in particular, without capabilities, and here without a network too.
`--export` also builds the image that exports, `--gpu` the RUN lines of docker/Dockerfile, on Debian in the place of
NVIDIA's image.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "container"
MIRROR = "http://deb.debian.org/debian"
BASE, STAND_IN = "localhost/debian-from-debootstrap", "localhost/in-place-of-nvidia"
NAME = "triptych-check"
PYTHON = "/opt/triptych/bin/python"
READY_SECONDS = 180
STOP_SECONDS = 90


def podman(*arguments: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run podman, with its usual store of images, and runc: crun refuses hosts with both kinds of control groups."""
    output = subprocess.PIPE if quiet else None
    command = ["podman", "--runtime=runc", "--cgroup-manager=cgroupfs", *arguments]
    return subprocess.run(command, check=False, stdout=output, stderr=output, text=True)


def must(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command wrote; SystemExit when it failed."""
    if done.returncode:
        raise SystemExit(f"{' '.join(done.args)} ended with {done.returncode}\n{done.stdout or ''}{done.stderr or ''}")
    return done.stdout or ""


def base_image() -> None:
    """Make the base image out of a clean root filesystem, once."""
    if not podman("image", "exists", BASE).returncode:
        return
    archive = BUILD / "debian.tar"
    if not archive.is_file():
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(BUILD / "root"), MIRROR], check=True)
        partial = archive.with_suffix(".partial")
        subprocess.run(["tar", "--directory", str(BUILD / "root"), "--create", "--file", str(partial), "."], check=True)
        partial.rename(archive)
    must(podman("import", "--quiet", str(archive), BASE))


def lent() -> list[str]:
    """Return the mounts by which RUN lines reach the package index as this host does: pip's settings, and their files.

    So none of it is in the Dockerfile, and none of it stays in the image.
    """
    settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    )
    known = dict(line.split("=", 1) for line in settings.stdout.splitlines())
    mounts, lines = {}, []
    for key, value in sorted(known.items()):
        words = []
        for setting in value.strip("'").split():
            word = setting
            path = Path(setting.removeprefix("file://"))
            if path.is_absolute() and path.exists():
                # Elsewhere than here, since a package of the image writes the certificates of /etc.
                lent_path = Path("/lent") / path.relative_to("/")
                word = setting.replace(str(path), str(lent_path))
                index = path.name == "simple"  # a folder of links to files that lie beside it
                mounts[path.parent if index else path] = lent_path.parent if index else lent_path
            words.append(word)
        lines.append(f"{key.split('.')[-1]} = {' '.join(words)}")
    (BUILD / "pip.conf").write_text("[global]\n" + "\n".join(dict.fromkeys(lines)) + "\n", encoding="utf-8")
    volumes = {BUILD / "pip.conf": Path("/etc/pip.conf"), **mounts}
    return [f"--volume={source}:{target}:ro" for source, target in volumes.items()]


def build(file: str, target: str, base: str, tag: str) -> None:
    """Build a stage of a Dockerfile, every line of it run as it stands."""
    print(f"building {tag} from docker/{file}", flush=True)
    options = ["--format=docker", "--layers", "--pull-never", "--isolation=chroot", "--network=host", *lent()]
    chosen = [f"--build-arg={base}", f"--file={ROOT / 'docker' / file}", f"--target={target}", f"--tag={tag}"]
    must(podman("build", *options, *chosen, str(ROOT)))


def stand_in() -> None:
    """Make an image that has what docker/Dockerfile expects of NVIDIA's: a Python with its headers, and no Triton."""
    (BUILD / "Dockerfile").write_text(
        f"FROM {BASE}\nRUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates python3\n",
        encoding="utf-8",
    )
    options = ["--pull-never", "--isolation=chroot", "--network=host", f"--tag={STAND_IN}"]
    must(podman("build", *options, f"--file={BUILD / 'Dockerfile'}", str(BUILD)))


def run_options(models: Path, clip: Path) -> list[str]:
    """Return how compose.yaml runs the service, as flags of podman; in the place of its network there is none."""
    service = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))["services"]["triptych"]
    assert service["read_only"], "compose.yaml runs the service with a root filesystem that can be written"
    return [
        *(f"--tmpfs={one}" for one in service["tmpfs"]),
        *(f"--cap-drop={one}" for one in service["cap_drop"]),
        *(f"--security-opt={one.removesuffix(':true')}" for one in service["security_opt"]),
        *("--read-only", "--read-only-tmpfs=false", "--network=none", f"--shm-size={service['shm_size']}"),
        *(f"--memory={service['mem_limit']}", f"--pids-limit={service['pids_limit']}"),
        # podman's own limits are more than a root without CAP_SYS_RESOURCE may set
        *(f"--ulimit={name}={service['ulimits']['nofile']}" for name in ("nofile", "nproc")),
        f"--volume={models}:/srv/triptych/model_repository:ro",
        f"--volume={clip}:/clip.mp4:ro",
    ]


@contextmanager
def running(tag: str, options: Sequence[str]) -> Iterator[None]:
    """Run the service until its own health check says that clips are answered, and to its end."""
    podman("rm", "--force", NAME, quiet=True)
    must(podman("run", "--detach", f"--name={NAME}", *options, tag))
    try:
        deadline = time.monotonic() + READY_SECONDS
        while podman("healthcheck", "run", NAME, quiet=True).returncode:
            state = must(podman("inspect", "--format={{.State.Status}}", NAME, quiet=True)).strip()
            if state != "running" or time.monotonic() > deadline:
                podman("logs", NAME)
                raise SystemExit(f"the container is {state}, and its health check fails")
            time.sleep(1)
        yield
    finally:
        must(podman("stop", f"--time={STOP_SECONDS}", NAME, quiet=True))
        status = must(podman("inspect", "--format={{.State.ExitCode}}", NAME, quiet=True)).strip()
        podman("rm", "--force", NAME, quiet=True)
        print(f"ended on SIGTERM with status {status}")


def inside(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the container, as its user."""
    return podman("exec", NAME, *command, quiet=True)


def look(models: Path) -> None:
    """Ask the running container what was promised; SystemExit for what is not so."""
    answer = json.loads(must(inside("/opt/triptych/bin/triptych", "analyze", "/clip.mp4", "--format=json")))
    print(f"the clip expresses {answer['emotion']['label']}, {answer['emotion']['confidence']:.3f}")
    status = dict(line.split(":\t", 1) for line in must(inside("cat", "/proc/1/status")).splitlines() if ":\t" in line)
    assert set(status["Uid"].split()) == {"10001"}, status["Uid"]
    assert int(status["CapBnd"], 16) == 0, status["CapBnd"]
    assert status["NoNewPrivs"] == "1"
    print("user 10001, no capability, no new privileges")
    for path in ("/x", "/opt/triptych/x", "/srv/triptych/model_repository/x", "/etc/x"):
        assert inside("touch", path).returncode, f"{path} can be written"
    print("root filesystem and models cannot be written")
    doctor = must(
        inside("/opt/triptych/bin/python", "-c", "from triptych.commands.doctor import decoders; print(decoders())")
    )
    assert "filtered by seccomp" in doctor, doctor
    print("decoders are filtered by seccomp")
    command = [PYTHON, "-I", "-m", "triptych.serving.checksums"]
    listed = must(inside(*command, "write", "/srv/triptych/model_repository"))
    (BUILD / "models.sha256").write_text(listed, encoding="utf-8")
    print(f"{len(listed.splitlines())} files of {models.name} listed by sha256")
    bill = json.loads(must(inside("cat", "/opt/triptych/sbom.cdx.json")))
    print(f"SBOM: CycloneDX {bill['specVersion']}, {len(bill['components'])} components")


def main() -> None:
    """Build and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=ROOT / "model_repository")
    parser.add_argument("--clip", type=Path, default=ROOT / "build" / "demo" / "demo.mp4")
    parser.add_argument("--export", action="store_true", help="build the image that exports, too")
    parser.add_argument("--gpu", action="store_true", help="build docker/Dockerfile on Debian, too")
    chosen = parser.parse_args()
    if os.geteuid():
        raise SystemExit("debootstrap and podman without a user namespace need root: sudo make test-container")
    BUILD.mkdir(parents=True, exist_ok=True)
    base_image()
    build("Dockerfile.cpu", "serve", f"DEBIAN={BASE}", "triptych:cpu")
    with running("triptych:cpu", run_options(chosen.models.resolve(), chosen.clip.resolve())):
        look(chosen.models)
    if chosen.export:
        build("Dockerfile.cpu", "export", f"DEBIAN={BASE}", "triptych:export")
    if chosen.gpu:
        stand_in()
        build("Dockerfile", "serve", f"TRITON={STAND_IN}", "triptych:gpu")


if __name__ == "__main__":
    main()
