"""Logits over the classes of a published checkpoint -> logits over the seven emotions, by the names of the classes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from transformers import PreTrainedConfig

from networks.emotion_names import emotion_of, is_left_out, known
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

FLOOR = 0.01
"""Probability of an emotion that a checkpoint has no class for. Chosen, not fitted: what a model cannot say it should
not count for, but a thousandth or less would be as if it had looked and were sure that it is not there."""
LOWEST = -3e4
"""Stands for minus infinity, and is a number in half precision too."""
LEAST = 1e-30
"""Probabilities are not taken for less, before their logarithm."""
MULTI_LABEL, REGRESSION = "multi_label_classification", "regression"
"""What `problem_type` of a checkpoint's config.json may be; any other, or none, is one class of several."""
LOG = logging.getLogger(__name__)


class ToEmotions(nn.Module):
    """Logits f32 [n, classes] of a checkpoint -> logits f32 [n, 7] over EMOTIONS.

    Classes of one emotion are joined as probabilities. Of a softmax they add up, so their logits are joined by
    log-sum-exp. Of classes that are each for itself (a sigmoid of several labels) at least one applies with
    1 - prod(1 - p): the noisy-or of Pearl (1988, section 4.3.2), which takes them for independent; the logits are then
    log-odds. An emotion without a class has the probability FLOOR. Where each emotion has one class, its logit is left
    as it is.
    """

    order: Tensor
    members: Tensor
    before: Tensor

    def __init__(self, labels: Sequence[str], independent: bool = False) -> None:
        """Take the names of the classes, and whether each is for itself; TriptychError when one is not known."""
        super().__init__()
        groups = [[place for place, label in enumerate(labels) if emotion_of(label) == name] for name in EMOTIONS]
        _check(labels, groups)
        found = [group for group in groups if group]
        self.independent = independent
        self.plain = len(found) == len(EMOTIONS) and all(len(group) == 1 for group in groups)
        members = torch.tensor([[place in group for place in range(len(labels))] for group in found])
        together = (members[:, :, None] & members[:, None, :]).any(0)
        order = [group[0] if self.plain else found.index(group) if group else len(found) for group in groups]
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("before", together.triu(1).float(), persistent=False)  # [a, b]: a comes before b
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits f32 [n, classes] -> logits f32 [n, 7]."""
        if self.plain:
            return logits[:, self.order]
        joined = self.any_of(logits) if self.independent else self.one_of(logits)
        return joined[:, self.order]

    def one_of(self, logits: Tensor) -> Tensor:
        """Logits [n, classes] of a softmax -> of the emotions found [n, f], and of one that has no class [n, 1]."""
        found = _log_sum_exp(torch.where(self.members, logits[:, None], LOWEST))
        missing = _log_sum_exp(found) + math.log(FLOOR / (1 - FLOOR))
        return torch.cat([found, missing[:, None]], 1)

    def any_of(self, logits: Tensor) -> Tensor:
        """Logits [n, classes], each for itself -> log-odds of the emotions found [n, f], and of one without class.

        Sums of what is positive: 1 - p would lose the small probabilities that these models give.
        """
        groups = self.members.float().T
        log_not = -relu(logits) - torch.log1p(torch.exp(-logits.abs()))
        first = logits.sigmoid() * torch.exp(log_not @ self.before)  # it applies, and none before it does
        found = torch.log((first @ groups).clamp(min=LEAST)) - log_not @ groups
        missing = torch.full_like(found[:, :1], math.log(FLOOR / (1 - FLOOR)))
        return torch.cat([found, missing], 1)


def to_emotions(config: PreTrainedConfig) -> ToEmotions:
    """Return what turns the logits of a checkpoint of transformers into ours, by its config.json.

    Whether its classes are each for itself is said by `problem_type`, as in `TextClassificationPipeline` there.
    TriptychError when a class is not known, or the checkpoint classifies nothing.
    """
    names = {int(index): str(name) for index, name in (config.id2label or {}).items()}
    if config.problem_type == REGRESSION or len(names) < 2 or sorted(names) != list(range(len(names))):
        raise TriptychError(
            f"the checkpoint does not tell classes apart: config.json has {len(names)} classes (id2label), and "
            f"problem_type {config.problem_type}. It has to name emotions, two or more"
        )
    return ToEmotions([names[index] for index in range(len(names))], config.problem_type == MULTI_LABEL)


def _check(labels: Sequence[str], groups: Sequence[Sequence[int]]) -> None:
    """TriptychError when a label is not known or there are too few; a warning when an emotion has no class."""
    unknown = [label for label in labels if emotion_of(label) is None and not is_left_out(label)]
    if unknown:
        raise TriptychError(
            f"the checkpoint's class {', '.join(unknown)} is none that is known. Known are {known()}. If it means one "
            "of them, name it so in id2label of its config.json"
        )
    missing = [emotion for emotion, group in zip(EMOTIONS, groups) if not group]
    if len(missing) > len(EMOTIONS) - 2:
        raise TriptychError(f"the checkpoint's classes ({', '.join(labels)}) are of one emotion; it takes two or more")
    if missing:
        LOG.warning("the checkpoint has no class for %s: its probability is always %s", " and ".join(missing), FLOOR)


def _log_sum_exp(logits: Tensor) -> Tensor:
    """Return the log-sum-exp over the last axis, written out: not every runtime's own takes the largest away first."""
    largest = logits.amax(-1, keepdim=True)
    return torch.log(torch.exp(logits - largest).sum(-1)) + largest[..., 0]
