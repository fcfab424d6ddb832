"""The words channel's network: a text encoder, frozen but for LoRA adapters in its upper half, and a head.

What lies below the adapters gives the same states for a text in every epoch, so these are computed once: `Lower` runs
once over the data, `Upper` is what is trained. `merge` puts what was learnt back into the whole encoder.
"""

from __future__ import annotations

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from networks.words.e5 import mean_states
from networks.words.trained import Encoder
from triptych_client.contract import EMOTIONS

RANK = 16
SCALE = 2.0
"""What the product of an adapter's two matrices counts (alpha / rank in Hu et al. 2022)."""
ADAPTED = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")
"""Every matrix of a layer: many at a low rank do better than few at a higher one (Hu et al. 2022, section 7.1)."""
DROPOUT = 0.1
ADAPTER = "default"


class Lower(nn.Module):
    """The frozen part: token embeddings and the lower layers."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.embeddings = encoder.embeddings
        self.layer = encoder.encoder.layer[: first_adapted(encoder)]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids int64 [n, length] and mask (1: a token, 0: padding) -> states f32 [n, length, d]."""
        return run_layers(self.layer, self.embeddings(input_ids=ids), mask)


class Upper(nn.Module):
    """The trained part: adapted layers, mean over the tokens, dropout, one logit an emotion.

    Annotators of other guidelines name emotions more or less readily, and corpora differ in how often there are any:
    in training each of so many `corpora` has an offset of its own for that, and what is served is their mean.
    """

    def __init__(self, encoder: Encoder, corpora: int = 1) -> None:
        super().__init__()
        self.layer = encoder.encoder.layer[first_adapted(encoder) :]
        for module in self.layer.modules():
            if isinstance(module, nn.Dropout):  # costs a tenth of the time; few weights are trained as it is
                module.p = 0.0
        config = LoraConfig(r=RANK, lora_alpha=SCALE * RANK, target_modules=list(ADAPTED))  # type: ignore[arg-type]
        inject_adapter_in_model(config, self, ADAPTER)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(encoder.config.hidden_size, len(EMOTIONS))
        self.offsets = nn.Parameter(torch.zeros(corpora, len(EMOTIONS)))

    def forward(self, states: Tensor, mask: Tensor, corpus: Tensor | None = None) -> Tensor:
        """States f32 [n, length, d] of `Lower` -> logits f32 [n, 7], of each emotion by itself (for a sigmoid).

        `corpus` int64 [n] is where each text is from; without it they are as served.
        """
        offsets = self.offsets.mean(0) if corpus is None else self.offsets[corpus]
        return self.head(self.dropout(mean_states(run_layers(self.layer, states, mask), mask))) + offsets


def first_adapted(encoder: Encoder) -> int:
    """Return the number of the first layer with adapters: that of the upper half."""
    return encoder.config.num_hidden_layers // 2


def run_layers(layers: nn.ModuleList, states: Tensor, mask: Tensor) -> Tensor:
    """Run encoder layers over states [n, length, d], attending to tokens where the mask [n, length] is 1."""
    away = (1 - mask[:, None, None].to(states.dtype)) * torch.finfo(states.dtype).min
    for layer in layers:
        states = layer(states, away)
    return states


def trained_tensors(upper: Upper, encoder: Encoder) -> dict[str, Tensor]:
    """Return what was trained: `head.weight`, `head.bias`, and of each adapted matrix `<name>.lora_A` and `.lora_B`.

    Names are those of the whole encoder's matrices; the scale is within `lora_B`.
    """
    bias = upper.head.bias.detach() + upper.offsets.detach().mean(0)
    tensors = {"head.weight": upper.head.weight.detach(), "head.bias": bias}
    for number, layer in enumerate(upper.layer, first_adapted(encoder)):
        for name, module in layer.named_modules():
            if isinstance(module, LoraLayer):
                matrix = f"encoder.layer.{number}.{name}"
                down, up = (adapters.get_parameter(f"{ADAPTER}.weight") for adapters in (module.lora_A, module.lora_B))
                tensors[f"{matrix}.lora_A"] = down.detach()
                tensors[f"{matrix}.lora_B"] = up.detach() * module.scaling[ADAPTER]
    return tensors
