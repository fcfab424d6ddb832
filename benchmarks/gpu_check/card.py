"""What a GPU has in memory and how busy it is, asked of NVIDIA's driver several times a second during a block."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

import pynvml

from benchmarks.gpu_check.results import Card

INTERVAL_S = 0.2
MIB = 1 << 20


class Watch:
    """Reads the first GPU until the end of the block; without one it reads nothing, and `card` is None."""

    def __init__(self) -> None:
        self._used: list[float] = []
        self._busy: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._handle: Any = None

    @property
    def card(self) -> Card | None:
        """What was read: the most memory, that at the beginning, and the mean utilisation."""
        if not self._used:
            return None
        return Card(max(self._used), self._used[0], sum(self._busy) / len(self._busy) / 100)

    def _read(self) -> None:
        self._used.append(int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used) / MIB)
        self._busy.append(float(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu))

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            with suppress(pynvml.NVMLError):
                self._read()

    def __enter__(self) -> Watch:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            self._read()
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._thread.ident:
            self._thread.join()
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
