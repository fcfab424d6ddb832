"""The generator of the model repository's configs: its profiles, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triptych.errors import TriptychError
from triptych.serving import configs, profile
from triptych_client.contract import ENSEMBLE, STEPS

THIRD = """
[all]
instance_group = [{ kind = "KIND_CPU", count = 1 }]
dynamic_batching = { max_queue_delay_microseconds = 500, default_queue_policy.max_queue_size = 9 }

[backends.onnxruntime]
comment = "Threads are for four cores."
instance_group = [{ kind = "KIND_AUTO", count = 3 }]
parameters = { intra_op_thread_count = "4", execution_mode = "1" }

[steps.whisper]
comment = "Chunks wait for each other."
backend = "onnxruntime"
dynamic_batching.max_queue_delay_microseconds = 7000
dynamic_batching.preferred_batch_size = [4, 8]
parameters.intra_op_thread_count = "8"
"""
"""A profile but for the steps that it says nothing particular of."""


def others(*named: str) -> str:
    """Return tables for all steps but those named."""
    return "".join(f'\n[steps.{name}]\nbackend = "python"\n' for name in STEPS if name not in named)


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    """A copy of the project's profiles, which a test may add to."""
    return Path(shutil.copytree(profile.PROFILES, tmp_path / "profiles"))


def parse(text: str) -> model_config_pb2.ModelConfig:
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_a_further_profile_is_one_file(profiles: Path):
    before = configs.generate(profiles)
    (profiles / "third.toml").write_text(THIRD + others("whisper"), encoding="utf-8")
    after = configs.generate(profiles)
    added = {path: text for path, text in after.items() if path not in before}
    assert {path: after[path] for path in before} == before
    assert set(added) == {Path(name, "configs", "third.pbtxt") for name in STEPS}
    for path, text in added.items():
        config, step = parse(text), STEPS[path.parts[0]]
        assert (config.name, config.max_batch_size) == (step.name, step.max_batch_size)
        assert [tensor.name for tensor in config.input] == [tensor.name for tensor in step.inputs]
        assert [tuple(tensor.dims) for tensor in config.output] == [tensor.dims for tensor in step.outputs]
        assert config.HasField("dynamic_batching") == (step.max_batch_size > 0)


def test_a_step_s_table_goes_over_its_backend_s_and_that_over_all(profiles: Path):
    (profiles / "third.toml").write_text(THIRD + others("whisper"), encoding="utf-8")
    texts = configs.generate(profiles)
    text = texts[Path("whisper/configs/third.pbtxt")]
    config, plain = parse(text), parse(texts[Path("expression/configs/third.pbtxt")])
    assert [group.count for group in config.instance_group] == [3]
    assert config.dynamic_batching.max_queue_delay_microseconds == 7000
    assert list(config.dynamic_batching.preferred_batch_size) == [4, 8]
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 9
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        "intra_op_thread_count": "8",
        "execution_mode": "1",
    }
    assert (plain.dynamic_batching.max_queue_delay_microseconds, dict(plain.parameters)) == (500, {})
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert comments[-3:-1] == ["# Threads are for four cores.", "# Chunks wait for each other."]
    assert STEPS["whisper"].meaning.split()[:5] == comments[0].split()[1:6]
    assert comments[-1].endswith("third.toml.")


def test_the_ensemble_is_the_same_in_every_profile(profiles: Path):
    assert [path for path in configs.generate(profiles) if path.parts[0] == ENSEMBLE] == [
        Path(ENSEMBLE, "config.pbtxt")
    ]


def edited(profiles: Path, old: str, new: str) -> Path:
    """Change the CPU profile of a copy."""
    file = profiles / "cpu.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return profiles


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n[all]", "\n[all", r"cpu.toml is not TOML: .*line"),
        ("\n[all]", "\n[every]\n[all]", r"cpu.toml: it has every; a profile has all, backends, steps"),
        ("\n[all]", "\n[all]\nmax_batch_size = 4", r"cpu.toml: it says max_batch_size, which is the contract's to say"),
        ("[steps.fusion]", "[steps.fusion]\noutput = []", r"it says output, which is the contract's"),
        ("[steps.fusion]", "[steps.fusoin]", r"cpu.toml: it lacks \[steps.fusion\], with what runs that step"),
        ("[steps.fusion]", "[steps.more]\n[steps.fusion]", r"it has \[steps.more\]; the steps are media_probe,"),
        ("[steps.fusion]", '[steps.fusion]\nplatform = "x"', r"\[steps.fusion\] must say what runs the step"),
        ("[steps.fusion]\nbackend", "[steps.fusion]\nbackend = []\nx", r"\[steps.fusion\] must say what runs the step"),
        ("[steps.fusion]", "[steps.fusion]\ncomment = 3", r"cpu.toml: the comment 3 is no text"),
        ("[steps.fusion]", "[steps.fusion]\nruntime = 1979-05-27", r"\[steps.fusion\]: .*not JSON serializable"),
        ("[steps.fusion]", "[steps.fusion]\ndynamic_batching = {}", r"\[steps.fusion\] batches, and .* no batch axis"),
        ("[backends.dali]", "[backends.dali2]", r"it has \[backends.dali2\], which runs no step"),
        ("[backends.dali]", "[backends]\ndali3 = 3\n[backends.dali]", r"cpu.toml: backends.dali3 is no table"),
        ("\n[all]", "\nevery = 3\n[all]", r"it has every; a profile has"),
        ("[steps.fusion]", "[steps.fusion]\ninstances = 2", r"cpu.toml: \[steps.fusion\]: .* has no field instances"),
        ("[steps.fusion]", "[steps.fusion]\nparameters = 2", r"\[steps.fusion\]: 2 stands where Triton has a map"),
        ("[steps.fusion]", "[steps.fusion]\nparameters.x = 2", r"\[steps.fusion\]: .*Expected string but found: '2'"),
        ("count = 1 }]  #", 'count = "one" }]  #', r"cpu.toml: \[steps.media_probe\]: .*Couldn't parse integer"),
        ('"KIND_CPU", count = 1 }]  #', '"KIND_TPU" }]  #', r"\[steps.media_probe\]: .*KIND_TPU"),
    ],
)
def test_a_profile_that_is_wrong_is_named(profiles: Path, old: str, new: str, message: str):
    with pytest.raises(TriptychError, match=message):
        configs.generate(edited(profiles, old, new))


@pytest.mark.parametrize("text", ["all = 3", "backends = 3", "steps = []"])
def test_a_table_that_is_none_is_named(tmp_path: Path, text: str):
    (tmp_path / "cpu.toml").write_text(text, encoding="utf-8")
    with pytest.raises(TriptychError, match=rf"cpu.toml: {text.split()[0]} is no table"):
        configs.generate(tmp_path)


def test_a_profile_in_another_encoding_is_named(tmp_path: Path):
    (tmp_path / "cpu.toml").write_bytes("# Größe".encode("latin-1"))
    with pytest.raises(TriptychError, match=r"cpu.toml is not TOML: .*utf-8"):
        configs.generate(tmp_path)


def test_without_the_profile_of_config_pbtxt_nothing_is_made(tmp_path: Path):
    with pytest.raises(TriptychError, match=r"there is no .*cpu.toml, the profile that config.pbtxt is made of"):
        configs.generate(tmp_path)
