"""What the benchmarks say of the machine that they ran on."""

from __future__ import annotations

import pynvml
import pytest

from benchmarks import measure


def driver(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Stand in for NVIDIA's driver, with these GPUs."""
    for function in ("nvmlInit", "nvmlShutdown"):
        monkeypatch.setattr(pynvml, function, lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(names))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: names[handle])


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", absent)
    assert measure.machine().endswith(", no GPU")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "no GPU"),
        (("NVIDIA H100",), "NVIDIA H100"),
        (("NVIDIA H100", "NVIDIA L4", "NVIDIA H100"), "2 x NVIDIA H100, NVIDIA L4"),
    ],
)
def test_the_gpus_are_named(names: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(monkeypatch, *names)
    assert measure.machine().endswith(f", {words}")
