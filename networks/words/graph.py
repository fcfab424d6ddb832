"""What every graph of the step `text_emotion` has in common: what goes in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from networks.served import Served

EXAMPLE_TOKENS = 32


class TextGraph(Served):
    """INPUT_IDS, ATTENTION_MASK int64 [u, length] of any number and length of utterances -> LOGITS, EMBEDDING."""

    def example(self) -> tuple[Tensor, Tensor]:
        """Two utterances of one piece said over and over."""
        ids = torch.full((2, EXAMPLE_TOKENS), 5)
        return ids, torch.ones_like(ids)

    def free_axes(self) -> Any:
        """Both axes."""
        return ({0: Dim.DYNAMIC, 1: Dim.DYNAMIC},) * 2
