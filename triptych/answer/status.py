"""What became of a stream or a channel: used, not there, or broken, and why in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Status:
    """One of `contract.STATES`, and the reason in words ("" when ok)."""

    state: str
    reason: str = ""

    @classmethod
    def read(cls, tensor: np.ndarray) -> Status:
        """Read BYTES [2]: state and reason."""
        state, reason = (cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in tensor)
        return cls(state, reason)

    def tensor(self) -> np.ndarray:
        """Return BYTES [2]: state and reason."""
        return np.array([self.state.encode(), self.reason.encode()], dtype=object)


OK = Status("ok")
