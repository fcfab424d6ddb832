"""A profile: how the steps run on one kind of host, in one TOML file of the folder `profiles`.

That folder is not in the model repository, where Triton takes every folder for a model and does not start over one that
is none. What a profile says, and how, is told in `profiles/cpu.toml`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import TriptychError
from triptych_client.contract import STEPS, Step

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILES = Path(__file__).with_name("profiles")
DEFAULT = "cpu"
"""The profile of config.pbtxt, which Triton reads without --model-config-name; another's is configs/<profile>.pbtxt."""
OPTION = "--model-config-name="
"""The flag of tritonserver that names a profile."""

TABLES = ("all", "backends", "steps")
ENGINES = ("backend", "platform")
"""Triton's two names for what runs a model, of which each step has one."""
OF_THE_CONTRACT = frozenset({"name", "max_batch_size", "input", "output", "ensemble_scheduling"})
"""Fields that a profile does not say."""

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Profile:
    """Fields of Triton's ModelConfig for all steps, by backend or platform, and by step: the later over the earlier."""

    file: Path
    everywhere: Table
    backends: Mapping[str, Table]
    steps: Mapping[str, Table]

    @classmethod
    def read(cls, file: Path) -> Profile:
        """Read a profile; TriptychError, which names the file and the table, where it is not what a profile is."""
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TriptychError(f"{file} is not TOML: {error}") from error
        for complaint in _complaints(tables):
            raise TriptychError(f"{file}: {complaint}")
        return cls(file, *(tables.get(name, {}) for name in TABLES))

    @property
    def name(self) -> str:
        """What --model-config-name calls it."""
        return self.file.stem

    def path(self, step: Step) -> Path:
        """Return where a step's config of this profile is in the model repository."""
        file = "config.pbtxt" if self.name == DEFAULT else f"configs/{self.name}.pbtxt"
        return Path(step.name, file)

    def comments(self, step: Step) -> list[str]:
        """Return what the profile has to say to who reads a step's config."""
        return [layer["comment"] for layer in self._layers(step) if "comment" in layer]

    def fields(self, step: Step) -> dict[str, Any]:
        """Return a step's fields of Triton's ModelConfig: all but those of the contract; its engine first."""
        fields: dict[str, Any] = {_engine(self.steps[step.name])[0]: None}
        for layer in self._layers(step):
            fields = _over(fields, layer)
        fields.pop("comment", None)
        if not step.max_batch_size:
            fields.pop("dynamic_batching", None)
        if isinstance(parameters := fields.get("parameters"), Mapping):
            fields["parameters"] = {key: {"string_value": value} for key, value in parameters.items()}
        return fields

    def _layers(self, step: Step) -> tuple[Table, Table, Table]:
        own = self.steps[step.name]
        return self.everywhere, self.backends.get(_engine(own)[1], {}), own


def read_all(folder: Path = PROFILES) -> list[Profile]:
    """Read every profile of a folder, by name; TriptychError when one is wrong or DEFAULT is not among them."""
    profiles = [Profile.read(file) for file in sorted(folder.glob("*.toml"))]
    if DEFAULT not in {profile.name for profile in profiles}:
        raise TriptychError(f"there is no {folder / DEFAULT}.toml, the profile that config.pbtxt is made of")
    return profiles


def named_by(options: Sequence[str]) -> Profile | None:
    """Return the profile that flags of tritonserver name, the last one counts; None where they name none of ours."""
    named = [option.removeprefix(OPTION) for option in options if option.startswith(OPTION)]
    return next((item for item in read_all() if named and item.name == named[-1]), None)


def _engine(table: Table) -> tuple[str, str]:
    """Return by which of ENGINES a step's table says what runs it, and what does."""
    return next((key, table[key]) for key in ENGINES if key in table)


def _over(lower: Table, upper: Table) -> dict[str, Any]:
    """Return two tables as one: tables in them are joined likewise, of anything else the upper counts."""
    joined = {key: _over(lower[key], value) for key, value in upper.items() if _both_tables(lower.get(key), value)}
    return {**lower, **upper, **joined}


def _both_tables(one: Any, other: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(other, Mapping)


def _tables_to_be(tables: Table) -> Iterator[tuple[str, Any]]:
    """Return what must be a table, by its path in the file: the outer before those in it."""
    yield from tables.items()
    for name in ("backends", "steps"):
        yield from ((f"{name}.{key}", value) for key, value in tables.get(name, {}).items())


def _complaints(tables: Table) -> Iterator[str]:
    """Say what is wrong with the tables of a profile."""
    if others := tables.keys() - set(TABLES):
        yield f"it has {', '.join(sorted(others))}; a profile has {', '.join(TABLES)}"
    for path, value in _tables_to_be(tables):
        if not isinstance(value, Mapping):
            yield f"{path} is no table"
    steps, backends = tables.get("steps", {}), tables.get("backends", {})
    for name in sorted(STEPS.keys() - steps.keys()):
        yield f"it lacks [steps.{name}], with what runs that step: backend or platform"
    for name in sorted(steps.keys() - STEPS.keys()):
        yield f"it has [steps.{name}]; the steps are {', '.join(STEPS)}"
    for name, table in steps.items():
        if len([key for key in ENGINES if isinstance(table.get(key), str)]) != 1:
            yield f"[steps.{name}] must say what runs the step, as backend or as platform"
        if "dynamic_batching" in table and not STEPS[name].max_batch_size:
            yield f"[steps.{name}] batches, and that step has no batch axis"
    for name in sorted(backends.keys() - {_engine(table)[1] for table in steps.values()}):
        yield f"it has [backends.{name}], which runs no step"
    for table in (tables.get("all", {}), *backends.values(), *steps.values()):
        if not isinstance(table.get("comment", ""), str):
            yield f"the comment {table['comment']!r} is no text"
        for field in sorted(OF_THE_CONTRACT & table.keys()):
            yield f"it says {field}, which is the contract's to say (client/triptych_client/contract.py)"
