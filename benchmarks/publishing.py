"""A result as it is published: a page and the same figures as JSON, with the machine, and how busy it was before."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import finite, gpus, table
from triptych import resources
from triptych.files import write_text

GIB = 1 << 30
PACKAGES = ("triptych", "onnxruntime", "nvidia-pytriton", "numpy", "av")
WATCHED_S = 3.0
BUSY = 0.2
"""Other work on more of a core than this: what was measured is not what the machine can do, and the page says so."""


@dataclass(frozen=True)
class Machine:
    """What the figures are of. `busy`: how many cores other work kept, just before."""

    processor: str
    cores: int
    memory_gib: float
    gpu: str
    kernel: str
    python: str
    packages: dict[str, str]
    busy: float

    @classmethod
    def here(cls, watched_s: float = WATCHED_S) -> Machine:
        """Describe this machine; to be asked before anything is measured, since it watches for other work."""
        return cls(
            processor(),
            resources.cores(),
            round(resources.memory_bytes() / GIB, 1),
            gpus(),
            f"{platform.system()} {platform.release().split('-')[0]}",
            platform.python_version(),
            {name: version(name) for name in PACKAGES},
            round(psutil.cpu_percent(watched_s) / 100 * (psutil.cpu_count() or 1), 2),
        )

    def described(self) -> str:
        """Return it as a paragraph."""
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        warning = " **The cores were busy with other work: these figures are no measure.**" if self.busy > BUSY else ""
        return (
            f"{self.cores} cores of {self.processor}, {self.memory_gib:g} GiB, {self.gpu}; {self.kernel}, Python "
            f"{self.python}, {packages}. Other work kept {self.busy:.2f} cores before.{warning}"
        )


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name."""
    told = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    return told[1].strip() if told else platform.machine()


@dataclass(frozen=True)
class Result:
    """One question's answer: the page's parts, and the facts that they were written from."""

    name: str
    title: str
    command: str
    machine: Machine
    parts: Sequence[str]
    facts: Mapping[str, Any]

    def publish(self, out: Path) -> None:
        """Write <name>.md and <name>.json into a folder, and print the page."""
        out.mkdir(parents=True, exist_ok=True)
        page = "\n\n".join([f"# {self.title}", f"Made by `{self.command}`.", self.machine.described(), *self.parts])
        write_text(out / f"{self.name}.md", page + "\n")
        facts = {"command": self.command, "machine": asdict(self.machine), **self.facts}
        write_text(out / f"{self.name}.json", json.dumps(finite(plain(facts)), indent=1, allow_nan=False) + "\n")
        print(page)


def plain(value: Any) -> Any:
    """Return dataclasses, anywhere in a structure, as dictionaries."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def goals(rows: Sequence[tuple[str, str, str, bool | None]]) -> str:
    """Return a table of what was to be reached: what, the goal, what was measured, and whether it is met."""
    said = {True: "yes", False: "**no**", None: "not measured"}
    return table(("what", "goal", "measured", "met"), [(*row[:3], said[row[3]]) for row in rows])
