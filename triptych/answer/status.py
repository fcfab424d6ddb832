"""What became of a stream or a channel: used, not there, or broken, and why as a code of the contract."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych_client.contract import REASONS, STATES


@dataclass(frozen=True)
class Status:
    """One of contract.STATES, a reason of contract.REASONS ("" for none), and the value that this reason has.

    ValueError for a state or a reason that the contract lacks.
    """

    state: str
    reason: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        if self.state not in STATES or self.reason not in ("", *REASONS):
            raise ValueError(f"the contract has no status {self.state} for the reason {self.reason or 'of none'}")

    @property
    def ok(self) -> bool:
        """Whether the stream or the channel can be used."""
        return self.state == "ok"

    @classmethod
    def read(cls, tensor: np.ndarray) -> Status:
        """Read BYTES [3]: contract.STATUS_FIELDS."""
        return cls(*(cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in tensor))

    def tensor(self) -> np.ndarray:
        """Return BYTES [3]: contract.STATUS_FIELDS."""
        return np.array([self.state.encode(), self.reason.encode(), self.value.encode()], dtype=object)


OK = Status("ok")
