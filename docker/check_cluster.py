"""Do the manifests of docker/kubernetes fit what Kubernetes publishes? `make lint` asks.

Each overlay is rendered by `kubectl kustomize`, which needs no cluster, and each object held strictly against the
schemas of the oldest and the newest release that are supported. Kinds that are not Kubernetes' own (Gateway API, KEDA,
KServe) have no schema among those: they are rendered, and their names are printed as not checked.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

HERE = Path(__file__).resolve().parent / "kubernetes"
KUBECTL = Path(sys.executable).with_name("kubectl")
RELEASES = ("1.33.1", "1.37.0")
"""The oldest in which everything that is used is stable, and the newest that the schemas know."""
FOREIGN = ("gateway.networking.k8s.io/", "keda.sh/", "serving.kserve.io/")


def rendered() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object of each overlay, with and without the components, and the manifests that stand alone."""
    for folder in sorted(path.parent for path in HERE.glob("overlays/*/kustomization.yaml")):
        yield from ((folder.name, one) for one in kustomize(folder))
    for path in sorted(HERE.glob("kserve/*.yaml")):
        yield from ((path.parent.name, one) for one in yaml.safe_load_all(path.read_text(encoding="utf-8")))


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Return the objects that an overlay makes; SystemExit, in kubectl's words, when it makes none."""
    done = subprocess.run([KUBECTL, "kustomize", folder], check=False, capture_output=True, text=True)
    if done.returncode or not done.stdout:
        raise SystemExit(f"{folder.relative_to(HERE)} cannot be rendered: {done.stderr}")
    return list(yaml.safe_load_all(done.stdout))


def fault(manifest: dict[str, Any], release: str) -> str:
    """Return what a release says against an object; "" when nothing."""
    try:
        kubernetes_validate.validate(manifest, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(part) for part in error.path)}: {error.message}"
    return ""


def main() -> int:
    """Print each fault; return the exit status."""
    found, foreign, checked = [], set(), 0
    for overlay, manifest in rendered():
        name = f"{overlay}: {manifest['kind']} {manifest['metadata']['name']}"
        if manifest["apiVersion"].startswith(FOREIGN):
            foreign.add(manifest["kind"])
            continue
        checked += 1
        found += [
            f"{name}, Kubernetes {release}: {wrong}" for release in RELEASES if (wrong := fault(manifest, release))
        ]
    print(*found, sep="\n", end="\n" if found else "")
    print(
        f"{checked} objects hold against Kubernetes {' and '.join(RELEASES)}" if not found else f"{len(found)} faults"
    )
    print(f"Without a schema here: {', '.join(sorted(foreign))}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
