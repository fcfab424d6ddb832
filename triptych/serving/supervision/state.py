"""What the supervision and the door tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class State:
    """Whether clips can be answered; `reason` says why not, as a sentence, `soon` that it takes seconds: clips wait.

    `planned`: nothing is broken, a model is exchanged: they wait for as long as it takes to load. `loses`: what is
    inside has come to nothing, or will, and is to be asked again.
    """

    ready: bool
    reason: str = ""
    soon: bool = False
    planned: bool = False
    loses: bool = False


class Traffic(Protocol):
    """What the door knows of the clips that Triton has."""

    @property
    def in_flight(self) -> int:
        """How many Triton works on."""
        ...

    @property
    def answered_at(self) -> float:
        """When Triton last answered a clip, by `time.monotonic()`; 0 before the first."""
        ...

    @property
    def oldest_in_flight_s(self) -> float:
        """How long Triton has had the clip that it has had longest; 0 without any."""
        ...


@dataclass(frozen=True)
class Fault:
    """Something that does not work: these steps, or without any the server as a whole."""

    reason: str
    steps: tuple[str, ...] = ()
