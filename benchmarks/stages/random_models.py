"""Models of transformers with random weights, made where they are to run."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from transformers import PreTrainedModel

from benchmarks.stages.plan import Plan

Model = TypeVar("Model", bound=PreTrainedModel)
SEED = 12


def made(model_class: type[Model], config: Any, plan: Plan, **options: Any) -> Model:
    """Return a model of a configuration, on the plan's device: a GPU draws 800 million weights in no time."""
    torch.manual_seed(SEED)
    with torch.device(plan.device):
        return model_class(config, **options).eval()
