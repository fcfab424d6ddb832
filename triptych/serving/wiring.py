"""The steps joined to the ensemble: which tensor feeds which, checked before Triton sees it.

Tensors meet by the rule of `triptych_client.graph`. Every mistake is a TriptychError that names both ends of the edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triptych.errors import TriptychError
from triptych_client import contract, graph
from triptych_client.contract import Step, Tensor

Names = Mapping[str, Mapping[str, str]]
"""By step: the names that its tensors have in the ensemble."""


@dataclass(frozen=True)
class Node:
    """A step in the ensemble: the name there of each input, and of each output that is read."""

    step: Step
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class End:
    """One end of an edge: a tensor of a step."""

    step: Step
    tensor: Tensor

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape that crosses the ensemble: with the batch axis of a batching step."""
        return (-1, *self.tensor.dims) if self.step.max_batch_size else self.tensor.dims

    def fits(self, other: End) -> bool:
        """Whether an edge may join the two: of one dtype, with as many axes, each as long or of any length."""
        alike = self.tensor.dtype == other.tensor.dtype and len(self.dims) == len(other.dims)
        return alike and all(one == two or -1 in (one, two) for one, two in zip(self.dims, other.dims))

    def __str__(self) -> str:
        return f"{self.step.name}.{self.tensor.name} ({self.tensor.dtype} {list(self.dims)})"


def nodes() -> tuple[Node, ...]:
    """Return the graph of the contract, step by step."""
    return join(graph.WHOLE, tuple(contract.STEPS.values()), graph.RENAMED)


def join(whole: Step, steps: Sequence[Step], renamed: Names) -> tuple[Node, ...]:
    """Join `steps`, each after those that feed it, to the ensemble `whole`; `renamed` is as graph.RENAMED.

    TriptychError for a renamed tensor that does not exist, an input that no earlier step makes, a name made twice,
    two ends that do not fit, and a step that feeds nobody.
    """
    _check_renamed(steps, renamed)
    given = _output_names(whole, steps, renamed)
    taken: dict[str, dict[str, str]] = {}
    made = {tensor.name: End(whole, tensor) for tensor in whole.inputs}
    for step in steps:
        taken[step.name] = _take(step, renamed.get(step.name, {}), made)
        for tensor in step.outputs:
            _give(End(step, tensor), given[step.name][tensor.name], made)
    for tensor in whole.outputs:
        _check_edge(tensor.name, End(whole, tensor), made)
    read = {tensor.name for tensor in whole.outputs} | {name for names in taken.values() for name in names.values()}
    return tuple(_node(step, taken[step.name], given[step.name], read) for step in steps)


def _check_renamed(steps: Sequence[Step], renamed: Names) -> None:
    known = {step.name: {tensor.name for tensor in (*step.inputs, *step.outputs)} for step in steps}
    for step, names in renamed.items():
        if step not in known:
            raise TriptychError(f"graph.RENAMED names the step {step}; the steps are {', '.join(known)}")
        if unknown := ", ".join(sorted(names.keys() - known[step])):
            raise TriptychError(f"graph.RENAMED names {unknown} of {step}; it has {', '.join(sorted(known[step]))}")


def _output_names(whole: Step, steps: Sequence[Step], renamed: Names) -> Names:
    """Return the name of each step's outputs: given, or in capitals at the last maker of one of the ensemble's."""
    own = {tensor.name for tensor in whole.outputs}
    makers = [(step.name, tensor.name) for step in steps for tensor in step.outputs if tensor.name in own]
    last = {tensor: step for step, tensor in makers if tensor not in renamed.get(step, {})}
    small = {step.name: {tensor.name: tensor.name.lower() for tensor in step.outputs} for step in steps}
    capitals = {step: {name: name for name, maker in last.items() if maker == step} for step in small}
    return {step: {**small[step], **capitals[step], **renamed.get(step, {})} for step in small}


def _take(step: Step, renamed: Mapping[str, str], made: Mapping[str, End]) -> dict[str, str]:
    """Return what each input of a step reads: as renamed, in small letters if that is made, else the ensemble's own."""
    names = {}
    for tensor in step.inputs:
        small, own = tensor.name.lower(), tensor.name
        found = own if own in made and small not in made else small
        names[own] = renamed.get(own, found)
        _check_edge(names[own], End(step, tensor), made)
    return names


def _give(source: End, name: str, made: dict[str, End]) -> None:
    """Add what a step makes to what is made."""
    if name in made:
        raise TriptychError(f"{name} is made twice, by {made[name]} and by {source}: rename one in graph.RENAMED")
    made[name] = source


def _check_edge(name: str, reader: End, made: Mapping[str, End]) -> None:
    if name not in made:
        raise TriptychError(f"nobody makes {name}, which {reader} reads; made before it are {', '.join(sorted(made))}")
    if not made[name].fits(reader):
        raise TriptychError(f"{name} is made by {made[name]} and read by {reader}: they do not fit")


def _node(step: Step, taken: Mapping[str, str], given: Mapping[str, str], read: set[str]) -> Node:
    outputs = {tensor.name: given[tensor.name] for tensor in step.outputs if given[tensor.name] in read}
    if not outputs:
        raise TriptychError(f"step {step.name} feeds nobody: {', '.join(given.values())} are read by no step")
    return Node(step, taken, outputs)
