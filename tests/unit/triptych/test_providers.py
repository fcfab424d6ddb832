"""Where a step's graph runs: on CUDA where that is wanted and this ONNX Runtime has it."""

from __future__ import annotations

import onnxruntime as ort
import pytest

from triptych import providers


@pytest.fixture
def with_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX Runtime that was built with CUDA, as far as it tells."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [providers.CUDA, providers.CPU])


@pytest.mark.usefixtures("with_cuda")
@pytest.mark.parametrize(
    ("kind", "wanted", "on_cuda"),
    [("GPU", "", True), ("CPU", "cuda", True), ("CPU", "", False), ("CPU", "cpu", False)],
)
def test_an_instance_on_a_gpu_or_the_parameter_wants_cuda(kind: str, wanted: str, on_cuda: bool):
    assert providers.on_cuda(kind, wanted) == on_cuda


def test_without_a_build_for_cuda_nothing_runs_there():
    assert providers.CUDA not in ort.get_available_providers()  # of the release that the tests are pinned to
    assert not providers.on_cuda("GPU", "cuda")


def test_cuda_comes_before_the_cpu_and_computes_in_float32():
    (cuda, options), cpu = providers.listed(cuda=True, number=3)
    assert (cuda, cpu) == (providers.CUDA, providers.CPU)
    assert options["device_id"] == 3
    assert options["use_tf32"] == "0"
    assert providers.listed(cuda=False) == [providers.CPU]


def test_a_profile_for_cuda_without_it_is_told_with_its_steps():
    said = providers.lacking(["--log-verbose=1", "--model-config-name=cuda"])
    assert said.startswith(f"the profile cuda computes on CUDA, and onnxruntime {ort.__version__} is built without it")
    assert "whisper" in said
    assert "sound_emotion" not in said, "it is on the CPU in that profile as well"


@pytest.mark.parametrize("options", [[], ["--model-config-name=cpu"], ["--model-config-name=elsewhere"]])
def test_a_profile_that_wants_no_cuda_lacks_nothing(options: list[str]):
    assert not providers.lacking(options)


@pytest.mark.usefixtures("with_cuda")
def test_with_cuda_nothing_is_lacking():
    assert not providers.lacking(["--model-config-name=cuda"])
