"""From a network to the files of a model: the one place where graphs are traced, checked and written."""

from __future__ import annotations

import inspect
import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, helper
from onnxscript import ir
from torch.utils import _pytree as pytree
from torch.utils._sympy.value_ranges import ValueRanges
from tritonclient.utils import triton_to_np_dtype

from export import vacant
from export.catalog import Entry, resolve
from export.stamp import settings_of
from networks.served import GRAPH, OPSET, Derived, Part, Parts, Served
from triptych.errors import TriptychError
from triptych.serving import settings
from triptych_client.contract import STEPS, Step, Tensor

IR_VERSION = 8
"""With opset 18, read by every ONNX Runtime since 1.14 and by TensorRT."""
LARGEST_BYTES = (1 << 31) - (64 << 20)
"""Weights of more lie beside the graph, as `NAME.data`: a protobuf ends at 2 GiB, nodes and names included."""
LOGGERS = ("torch.onnx", "torch.export")


def export(entry: Entry, folders: Sequence[Path], target: Path) -> None:
    """Write the files of an entry's model into `target`. `folders`: those of its files, and of the entries it needs.

    TriptychError when a package that its network needs is not installed, or the network does not fit the step.
    """
    write(parts(entry, folders), STEPS[entry.step], target)


def parts(entry: Entry, folders: Sequence[Path]) -> Parts:
    """Return the files of an entry's model, as its network gives them."""
    if entry.vacant:
        return {GRAPH: vacant.build(STEPS[entry.step])}
    if entry.settings:
        return {settings.FILE: json.dumps(settings_of(entry), indent=2) + "\n"}
    try:
        network = resolve(entry.network, entry.catalog.parent if entry.own else None)
    except ModuleNotFoundError as error:
        remedy = f"install it, or put it beside {entry.catalog}" if entry.own else "pip install 'triptych[export]'"
        raise TriptychError(f"to export {entry.name}, {error.name} is missing: {remedy}") from error
    load = getattr(network, "load", network)
    try:
        inspect.signature(load).bind(*folders)
    except TypeError as error:
        names = [*([entry.name] if entry.has_files else []), *entry.needs]
        raise TriptychError(
            f"{entry.network} does not take the folders of {', '.join(names) or 'nothing'}: {error}. "
            f"They are the entry's own, if it has files, and those of `needs` in {entry.catalog}, in that order."
        ) from error
    loaded = load(*folders)
    return {GRAPH: loaded} if isinstance(loaded, Served) else loaded


def write(parts: Parts, step: Step, target: Path) -> None:
    """Write every part into `target`."""
    graphs: dict[str, ModelProto] = {}
    for name, part in parts.items():
        if isinstance(part, str):
            (target / name).write_text(part, encoding="utf-8", newline="\n")
        else:
            graphs[name] = _graph(part, step, graphs)
            save(graphs[name], target / name)


def save(model: ModelProto, path: Path) -> None:
    """Write a graph to a file, with its weights, or beside them where they are too many for one file."""
    weights_bytes = sum(len(weight.raw_data) for weight in model.graph.initializer)
    beside = weights_bytes >= LARGEST_BYTES
    onnx.save(model, path, save_as_external_data=beside, location=f"{path.name}.data")


def to_onnx(network: Served, step: Step | None = None) -> ModelProto:
    """Return a network of a step as one graph, the same bytes wherever its code lies.

    TriptychError when an axis that the network declares free is fixed by what it computes, or its inputs or outputs are
    not those of the step.
    """
    named = len(pytree.tree_leaves(network.example()))
    inputs = network.inputs or _names(step.inputs[:named] if step else ())
    outputs = network.outputs or _names(step.outputs if step else ())
    program = _traced(network.eval(), inputs, outputs)
    graph, name = program.model.graph, type(network).__name__
    if (len(graph.inputs), len(graph.outputs)) != (len(inputs), len(outputs)):
        raise TriptychError(
            f"{name} takes {len(graph.inputs)} tensors and gives {len(graph.outputs)}, "
            f"where the names are {', '.join(inputs)} and {', '.join(outputs)}"
        )
    _check_free(network, program.exported_program, inputs)
    if step and not network.inputs:
        batch = graph.inputs[0].shape[0]
        graph.inputs.extend(_declared(tensor, batch) for tensor in step.inputs[named:])
    _forget_where(program.model)
    return program.model_proto


def checked(graph: GraphProto) -> ModelProto:
    """Return a graph that was written by hand as a model; onnx.checker.ValidationError when it is not valid."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings, and PyTorch's log below errors: what it says while it exports is for its own developers."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    try:
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _graph(part: Part, step: Step, made: dict[str, ModelProto]) -> ModelProto:
    if isinstance(part, Served):
        return to_onnx(part, step)
    if isinstance(part, Derived):
        return part.change(made[part.of])
    assert isinstance(part, GraphProto)
    return checked(part)


def _names(tensors: Iterable[Tensor]) -> tuple[str, ...]:
    return tuple(tensor.name for tensor in tensors)


def _traced(network: Served, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Return what PyTorch's exporter makes of a network, an `ONNXProgram`."""
    try:
        with torch.no_grad(), quiet():
            return torch.onnx.export(
                network,
                network.example(),
                dynamo=True,
                dynamic_shapes=network.free_axes(),
                opset_version=network.opset,
                input_names=inputs,
                output_names=outputs,
                custom_translation_table=dict(network.translations),
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise TriptychError(f"cannot export {type(network).__name__}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return the innermost cause in words; PyTorch wraps it in several errors, each with advice of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip()


def _check_free(network: Served, program: torch.export.ExportedProgram, names: Sequence[str]) -> None:
    """TriptychError when tracing left an axis that the network declares free one length only, the example's."""
    declared = pytree.tree_leaves(network.free_axes(), is_leaf=lambda axes: isinstance(axes, dict))
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    for traced, name, axes in zip(program.graph_signature.user_inputs, names, declared, strict=True):
        for axis in axes:
            lengths = _lengths(values[traced].shape[axis], program)
            if lengths.is_singleton():
                raise TriptychError(
                    f"{type(network).__name__} declares axis {axis} of {name} free, and fixes it to the "
                    f"example's {lengths.lower}"
                )


def _lengths(size: int | torch.SymInt, program: torch.export.ExportedProgram) -> ValueRanges:
    """Return the lengths that an axis may have."""
    if isinstance(size, int):
        return ValueRanges(size, size)
    return program.range_constraints.get(size.node.expr, ValueRanges.unknown_int())


def _declared(tensor: Tensor, batch: ir.SymbolicDim | int) -> ir.Value:
    """Return an input of the contract as a value of a graph, with its batch axis in front.

    Triton wants a graph to have the inputs of its config (TensorRT warns of unused ones and keeps them).
    """
    element = ir.TensorType(ir.DataType(helper.np_dtype_to_tensor_dtype(np.dtype(triton_to_np_dtype(tensor.dtype)))))
    return ir.Value(name=tensor.name, shape=ir.Shape([batch, *tensor.dims]), type=element)


def _forget_where(model: ir.Model) -> None:
    """Take away what PyTorch notes of each node, stack traces with the paths of this machine among it."""
    model.metadata_props.clear()
    for graph in (model.graph, *model.functions.values()):
        graph.metadata_props.clear()
        for node in graph:
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
        for value in (*graph.inputs, *getattr(graph, "initializers", {}).values()):
            value.metadata_props.clear()
