"""In PyTorch, the networks whose graphs are written by hand: what those graphs are compared with.

The operators are PyTorch's and the order is the papers'; the weights are read from the files that are published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx
import torch
from onnx import GraphProto, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from networks.sound import comparison, labels, silero, voiced, yamnet
from networks.words.e5 import Embedder
from triptych.sound.speech import FRAME_SAMPLES
from triptych_client.contract import EMOTIONS

SEPARABLE = [  # stride, channels: yamnet.py of tensorflow/models
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]  # fmt: skip


class Yamnet(nn.Module):
    """YAMNet (Plakal and Ellis 2019) from the float weights of the quantised file: FEATURES -> TAGS, SPEECH_TAGS."""

    def __init__(self, quantised: GraphProto, names: Sequence[str]) -> None:
        super().__init__()
        layers: list[nn.Module] = [_SamePadding(2), nn.Conv2d(1, 32, 3, stride=2), nn.ReLU()]
        channels = 32
        for stride, wider in SEPARABLE:
            layers += [_SamePadding(stride), nn.Conv2d(channels, channels, 3, stride=stride, groups=channels)]
            layers += [nn.ReLU(), nn.Conv2d(channels, wider, 1), nn.ReLU()]
            channels = wider
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, len(names))]
        self.layers = nn.Sequential(*layers)
        self.speech, self.other = voiced.places(names)
        self._read(quantised)

    def _read(self, quantised: GraphProto) -> None:
        """Fill the layers, in order."""
        stored = _tensors(quantised)
        origins = {
            node.output[0]: node.input[0]
            for node in quantised.node
            if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        }
        operators = [node for node in quantised.node if node.op_type in ("Conv", "Gemm")]
        layers = [layer for layer in self.layers if isinstance(layer, (nn.Conv2d, nn.Linear))]
        for node, layer in zip(operators, layers, strict=True):
            weight, bias = (stored[origins.get(origins.get(name, name), name)] for name in node.input[1:])
            layer.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel [n, 96, 64] -> probabilities [n, classes]; the most of speech, and the sum of other voices [n, 2]."""
        tags = self.layers(log_mel.unsqueeze(1)).sigmoid()
        return tags, torch.stack([tags[:, self.speech].amax(1), tags[:, self.other].sum(1)], dim=1)


class _SamePadding(nn.Module):
    """TensorFlow's "same" for a 3x3 kernel: an even size halved is padded at the end only."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.pads = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.pad(maps, self.pads)


class Comparison(nn.Module):
    """The comparison of tags, its matrix computed anew from the names of the tags: TAGS -> LOGITS."""

    def __init__(self, names: Sequence[str], method: comparison.Method, encoder: Path) -> None:
        super().__init__()
        self.matrix = torch.from_numpy(comparison.tag_matrix(names, Embedder(encoder), method))
        self.heard, self.neutral = method.heard, method.neutral

    def forward(self, tags: Tensor) -> Tensor:
        """Probabilities [n, classes] -> logits [n, 7]."""
        logits = (tags / self.heard).clamp(0, 1) @ self.matrix
        logits[:, EMOTIONS.index("neutral")] += self.neutral
        return logits


class SileroVad(nn.Module):
    """Silero VAD 6.2 from the weights of the package's graph: sound [512 n] -> a probability of speech a frame [n]."""

    def __init__(self, sequence: GraphProto) -> None:
        super().__init__()
        stored = _tensors(sequence)
        self.basis = stored["stft.forward_basis_buffer"]
        self.encoder = nn.ModuleList(
            _convolution(stored, f"encoder.{number}", stride) for number, stride in enumerate((1, 2, 2, 1))
        )
        self.recurrent = nn.LSTM(silero.STATE_WIDTH, silero.STATE_WIDTH)
        node = next(node for node in sequence.node if node.op_type == "LSTM")
        weight, recurrence, biases = (_in_pytorch_s_order(stored[name][0]) for name in node.input[1:4])
        own, recurrent = biases.chunk(2)
        state = {"weight_ih_l0": weight, "weight_hh_l0": recurrence, "bias_ih_l0": own, "bias_hh_l0": recurrent}
        self.recurrent.load_state_dict(state)
        self.output = _convolution(stored, "output", 1)

    def forward(self, pcm: Tensor) -> Tensor:
        """Take the sound of a clip; a frame is heard with the end of the one before it, silence before the first."""
        frames = pcm.reshape(-1, FRAME_SAMPLES)
        before = functional.pad(frames, (0, 0, 1, 0))[:-1, -silero.CONTEXT_SAMPLES :]
        heard = functional.pad(torch.cat([before, frames], dim=1)[:, None], (0, silero.CONTEXT_SAMPLES), mode="reflect")
        real, imaginary = functional.conv1d(heard, self.basis, stride=128).chunk(2, dim=1)
        hidden = (real.square() + imaginary.square()).sqrt()
        for layer in self.encoder:
            hidden = layer(hidden).relu()
        states, _ = self.recurrent(hidden.transpose(1, 2))
        return self.output(states.relu().transpose(1, 2)).sigmoid().flatten()


def _convolution(stored: Mapping[str, Tensor], name: str, stride: int) -> nn.Conv1d:
    weight, bias = stored[f"{name}.weight"], stored[f"{name}.bias"]
    wide, narrow, kernel = weight.shape
    layer = nn.Conv1d(narrow, wide, kernel, stride=stride, padding=kernel // 2)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _in_pytorch_s_order(gates: Tensor) -> Tensor:
    """Return the gates of an LSTM, ONNX's input, output, forget, cell in each half of biases, as PyTorch has them."""
    halves = gates.split(4 * silero.STATE_WIDTH)
    return torch.cat([part for half in halves for part in _ifgo(*half.chunk(4))])


def _ifgo(into: Tensor, out: Tensor, forget: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return into, forget, cell, out


def _tensors(graph: GraphProto) -> dict[str, Tensor]:
    return {weight.name: torch.from_numpy(numpy_helper.to_array(weight).copy()) for weight in graph.initializer}


def _yamnet(folder: Path) -> nn.Module:
    return Yamnet(yamnet.load_quantised(folder), labels.of_yamnet(folder))


def _comparison_of_yamnet(method: Path, tagger: Path, encoder: Path) -> nn.Module:
    return Comparison(labels.of_yamnet(tagger), comparison.load_method(method), encoder)


def _comparison_of_ast(method: Path, tagger: Path, encoder: Path) -> nn.Module:
    return Comparison(labels.of_checkpoint(tagger), comparison.load_method(method), encoder)


def _silero(folder: Path) -> nn.Module:
    return SileroVad(onnx.load(folder / silero.FILE).graph)


REFERENCES: Mapping[str, Callable[..., nn.Module]] = {
    "networks.sound.yamnet:load": _yamnet,
    "networks.sound.comparison:of_yamnet": _comparison_of_yamnet,
    "networks.sound.comparison:of_ast": _comparison_of_ast,
    "networks.sound.silero:load": _silero,
}
"""By the `network` of a catalogue entry; each takes the folders that the network takes."""
