"""The configs in git: as generated, and held against Triton's own schema, the contract, and the graph.

What is held against the contract here is read back from the text by protobuf, so that a generator that is wrong, or
writes nothing, is found out.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from triptych.paths import MODEL_REPOSITORY
from triptych.serving import configs, profile
from triptych_client import contract

CONFIGS = sorted([*MODEL_REPOSITORY.glob("*/config.pbtxt"), *MODEL_REPOSITORY.glob("*/configs/*.pbtxt")])
STEPS = [path for path in CONFIGS if path.parent.name != contract.ENSEMBLE]
DTYPES = {"BYTES": "TYPE_STRING"}


def parse(path: Path) -> model_config_pb2.ModelConfig:
    return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())


def step_name(path: Path) -> str:
    return path.relative_to(MODEL_REPOSITORY).parts[0]


def identify(path: Path) -> str:
    return str(path.relative_to(MODEL_REPOSITORY))


def config_dtype(tensor: contract.Tensor) -> int:
    return model_config_pb2.DataType.Value(DTYPES.get(tensor.dtype, f"TYPE_{tensor.dtype}"))


def test_the_configs_in_git_are_as_generated():
    assert list(configs.stale()) == [], "run `triptych configs`"


def test_every_step_has_its_config_in_every_profile():
    own = {one.path(step) for one in profile.read_all() for step in contract.STEPS.values()}
    assert {Path("fusion/config.pbtxt"), Path("fusion/configs/gpu.pbtxt")} <= own
    assert {path.relative_to(MODEL_REPOSITORY) for path in CONFIGS} == {*own, Path("emotion/config.pbtxt")}


@pytest.mark.parametrize("path", CONFIGS, ids=identify)
def test_it_parses_and_bears_its_folder_s_name(path: Path):
    assert parse(path).name == step_name(path)


@pytest.mark.parametrize("path", STEPS, ids=identify)
def test_its_tensors_are_those_of_the_contract(path: Path):
    config, step = parse(path), contract.STEPS[step_name(path)]
    assert config.max_batch_size == step.max_batch_size
    for declared, tensors in ((config.input, step.inputs), (config.output, step.outputs)):
        assert [tensor.name for tensor in declared] == [tensor.name for tensor in tensors]
        for have, want in zip(declared, tensors):
            assert have.data_type == config_dtype(want), want.name
            assert tuple(have.dims) == want.dims, want.name


@pytest.mark.parametrize("path", STEPS, ids=identify)
def test_instances_and_batching_are_stated(path: Path):
    config = parse(path)
    assert config.instance_group, "Triton's default is two instances of a CPU model"
    assert config.HasField("dynamic_batching") == (config.max_batch_size > 0)
    if path.name == "config.pbtxt":
        kinds = {group.kind for group in config.instance_group}
        assert kinds <= {model_config_pb2.ModelInstanceGroup.KIND_CPU, model_config_pb2.ModelInstanceGroup.KIND_AUTO}


@pytest.mark.parametrize("path", STEPS, ids=identify)
def test_python_steps_have_their_adapter(path: Path):
    config, folder = parse(path), MODEL_REPOSITORY / step_name(path) / "1"
    if config.backend == "python":
        adapter = folder / "model.py"
        assert adapter.is_file()
        assert len(adapter.read_text(encoding="utf-8").splitlines()) <= 100


WAITED_FOR = {("audio_decode", "clip")}
"""Inputs that a step does not read, but must not begin without."""


def unread(adapter: Path) -> set[str]:
    """Return the arguments of an adapter's methods that nothing in them reads."""
    methods = [
        node for node in ast.walk(ast.parse(adapter.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
    ]
    return {
        argument.arg
        for method in methods
        for argument in method.args.args
        if argument.arg not in {"self", "args"}
        and argument.arg not in {node.id for node in ast.walk(method) if isinstance(node, ast.Name)}
    }


def test_an_adapter_reads_what_it_is_given():
    found = {path.parts[-3]: unread(path) for path in MODEL_REPOSITORY.glob("*/1/model.py")}
    assert set(found) == {step_name(path) for path in STEPS if parse(path).backend == "python"}
    assert {(step, name) for step, names in found.items() for name in names} == WAITED_FOR


def full_shape(step: contract.Step, tensor: contract.Tensor) -> tuple[int, ...]:
    return (-1, *tensor.dims) if step.max_batch_size else tensor.dims


def compatible(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) and all(a == b or -1 in (a, b) for a, b in zip(one, other))


def test_every_edge_of_the_ensemble_joins_equal_tensors():
    config = parse(MODEL_REPOSITORY / contract.ENSEMBLE / "config.pbtxt")
    made = {contract.VIDEO.name: (contract.VIDEO, contract.VIDEO.dims)}
    for scheduled in config.ensemble_scheduling.step:
        step = contract.STEPS[scheduled.model_name]
        assert set(scheduled.input_map) == {tensor.name for tensor in step.inputs}, step.name
        for key, name in scheduled.output_map.items():
            assert name not in made, f"{name} has two sources"
            made[name] = (step.tensor(key), full_shape(step, step.tensor(key)))
    for scheduled in config.ensemble_scheduling.step:
        step = contract.STEPS[scheduled.model_name]
        for key, name in scheduled.input_map.items():
            tensor, (source, shape) = step.tensor(key), made[name]
            assert tensor.dtype == source.dtype, (step.name, key)
            assert compatible(full_shape(step, tensor), shape), (step.name, key)


def test_the_ensemble_runs_every_step_and_answers_the_contract():
    config = parse(MODEL_REPOSITORY / contract.ENSEMBLE / "config.pbtxt")
    assert [step.model_name for step in config.ensemble_scheduling.step] != []
    assert {step.model_name for step in config.ensemble_scheduling.step} == set(contract.STEPS)
    outputs = (*contract.ANSWER, *contract.EMBEDDINGS, *contract.LOOKS)
    assert [(o.name, o.data_type, tuple(o.dims)) for o in config.output] == [
        (t.name, config_dtype(t), t.dims) for t in outputs
    ]
    mapped = {name for step in config.ensemble_scheduling.step for name in step.output_map.values()}
    assert {output.name for output in config.output} <= mapped
