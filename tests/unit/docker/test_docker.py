"""Dockerfiles, compose file and manifests: that they agree with each other and with what the service needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from triptych.media.limits import Limits
from triptych.paths import ROOT
from triptych.serving import checksums, shared_memory
from triptych.serving.embedded import START_SECONDS, STOP_SECONDS
from triptych.serving.run import DRAIN_SECONDS
from triptych.serving.supervision.patience import Patience

DOCKER = ROOT / "docker"
HOME = "/srv/triptych"
UNITS = {"m": 1 << 20, "g": 1 << 30, "Mi": 1 << 20, "Gi": 1 << 30, "gb": 1 << 30}


def load(path: str) -> dict[str, Any]:
    return yaml.safe_load((DOCKER / path).read_text(encoding="utf-8"))


def in_bytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\D+)", size).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def option(options: str, name: str) -> str:
    return dict(part.partition("=")[::2] for part in options.split(","))[name]


COMPOSE = load("compose.yaml")
POD = load("kubernetes/base/deployment.yaml")["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]
KSERVE = load("kubernetes/kserve/inference-service.yaml")["spec"]["predictor"]
PODS = pytest.mark.parametrize("pod", [POD, KSERVE], ids=["deployment", "kserve"])


@pytest.mark.parametrize("path", ["Dockerfile", "Dockerfile.cpu"])
def test_an_image_runs_as_nobody_without_a_shell_and_says_how_it_does(path: str):
    text = (DOCKER / path).read_text(encoding="utf-8").replace("\\\n", "")
    serve = text[text.index(" AS serve") :]
    assert "USER 10001:10001" in serve
    assert "RUN" not in serve  # nothing is installed, and no secret used, in what is run
    for instruction in ("ENTRYPOINT", "CMD"):
        words = re.search(rf"^\s*{instruction} (\[.*\])$", serve, re.MULTILINE)
        assert words, f"{instruction} is not in the form that needs no shell"
        assert json.loads(words[1])
    assert re.search(r"HEALTHCHECK .*CMD \[.*/v2/health/ready", serve)
    assert f"TRIPTYCH_HOME={HOME}" in serve


def test_what_is_pinned_in_the_images_is_what_is_pinned_for_developers():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for path in ("Dockerfile", "Dockerfile.cpu"):
        pins = set(re.findall(r"[\w-]+==[\w.]+", (DOCKER / path).read_text(encoding="utf-8")))
        assert {pin.replace("onnxruntime-gpu", "onnxruntime") for pin in pins} <= set(
            re.findall(r"[\w-]+==[\w.]+", project)
        )


def test_every_file_that_compose_mounts_is_there():
    files = [volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service["volumes"]]
    mounted = [name for name in files if name.startswith(".")]
    assert mounted
    assert [name for name in mounted if not (DOCKER / name).exists()] == []


def test_every_service_of_compose_is_hardened():
    for name, service in COMPOSE["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name


def test_compose_gives_what_the_service_needs():
    service = COMPOSE["services"]["triptych"]
    assert in_bytes(service["shm_size"]) >= shared_memory.needed_bytes(Limits())
    assert f"models:{HOME}/model_repository:ro" in service["volumes"]
    folders = dict(one.split(":") for one in service["tmpfs"])
    assert "exec" in folders[f"{HOME}/build"].split(",")
    assert {option(options, "mode") for options in folders.values()} == {"1777"}
    assert int(service["stop_grace_period"].removesuffix("s")) >= DRAIN_SECONDS + STOP_SECONDS


@PODS
def test_a_pod_is_restricted(pod: dict[str, Any]):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and more."""
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert mounts["models"]["readOnly"]
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@PODS
def test_a_pod_has_the_shared_memory_that_the_largest_clip_takes(pod: dict[str, Any]):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["shm"]["emptyDir"]["medium"] == "Memory"
    size = in_bytes(volumes["shm"]["emptyDir"]["sizeLimit"])
    assert size >= shared_memory.needed_bytes(Limits())
    assert in_bytes(pod["containers"][0]["resources"]["limits"]["memory"]) >= 2 * size


@PODS
def test_a_pod_is_not_killed_while_it_is_being_mended(pod: dict[str, Any]):
    """Liveness asks whether clips are answered, and waits longer than the supervision takes to start Triton anew."""
    probe = pod["containers"][0]["livenessProbe"]
    assert probe["grpc"] == {"port": 8001}
    mending = START_SECONDS + Patience().late_s + Patience().longest_pause_s
    assert probe["periodSeconds"] * probe["failureThreshold"] > mending
    assert pod["containers"][0]["readinessProbe"]["failureThreshold"] == 1


def test_a_pod_may_start_and_end_in_its_own_time():
    startup = CONTAINER["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] > START_SECONDS
    assert POD["terminationGracePeriodSeconds"] >= DRAIN_SECONDS + STOP_SECONDS


def test_nothing_leaves_a_pod():
    policy = load("kubernetes/base/network.yaml")["spec"]
    assert policy["egress"] == []
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["podSelector"] == {}


@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_a_list_of_checksums_is_one_that_can_be_read(overlay: str):
    assert checksums.read((DOCKER / "kubernetes" / "overlays" / overlay / "models.sha256").read_text()) == {}


def test_the_images_get_no_more_than_the_wheels_are_built_from():
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not {".git", "tests", "build", ".venv"} & set(kept)
    assert [name for name in kept if "*" not in name and not Path(ROOT, name).exists()] == []
