"""Whisper's two ONNX graphs, run for several windows at once.

b: windows, h: heads, d: width of a head, s: encoder frames, t: new tokens, p: tokens before them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort

from triptych import providers


@dataclass(frozen=True)
class Device:
    """Where the graphs run: "cpu", or "cuda" and the number of the GPU."""

    kind: str = "cpu"
    number: int = 0

    @classmethod
    def of_instance(cls, kind: str, number: int, wanted: str = "") -> Device:
        """Return the device of a Triton instance ("CPU" or "GPU"), whose config may want "cuda": see `providers`."""
        return cls("cuda", number) if providers.on_cuda(kind, wanted) else cls()


CROSS_BYTES = 300 << 20
"""So much of what the decoder reads of the encoder is held at once: 8 windows of Whisper base, 1 of large."""
FRAMES_PER_SECOND = 50
"""Of the encoder: it halves the log-mel's."""
WINDOW_S = 30.0
"""Whisper is trained on windows of so much sound, with silence after it."""


@dataclass(frozen=True)
class Running:
    """How the graphs are run.

    `threads` are those of a session on the CPU; `silence_s`: so much of the silence after its sound the encoder hears
    of a window.
    """

    threads: int
    device: Device = field(default_factory=Device)
    silence_s: float = WINDOW_S


class Model:
    """The encoder and the decoder, loaded from a folder."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.running = running
        self.encoder = _session(folder / "encoder.onnx", running)
        self.decoder = _session(folder / "decoder.onnx", running)

    @property
    def at_once(self) -> int:
        """How many windows go through the decoder together."""
        window_bytes = sum(4 * math.prod(shape) for shape in self._cross_shapes(round(WINDOW_S * FRAMES_PER_SECOND)))
        return max(1, CROSS_BYTES // window_bytes)

    def encode(self, log_mel: np.ndarray, sound_s: float) -> DecoderState:
        """Encode float32 log-mels [b, mels, 3000] that hold at most so many seconds of sound.

        One by one: one fills the processor, and takes 1/b of the memory.
        """
        frames = min(math.ceil((sound_s + self.running.silence_s) * FRAMES_PER_SECOND), log_mel.shape[2] // 2)
        outputs = self.encoder.get_outputs()
        cross = [np.empty((len(log_mel), *shape), np.float32) for shape in self._cross_shapes(frames)]
        for row in range(len(log_mel)):
            binding = self.encoder.io_binding()
            heard = np.ascontiguousarray(log_mel[row : row + 1, :, : 2 * frames], np.float32)
            binding.bind_cpu_input("log_mel", heard)
            for output, array in zip(outputs, cross, strict=True):
                target = array[row : row + 1]
                binding.bind_output(output.name, "cpu", 0, np.float32, target.shape, target.ctypes.data)
            self.encoder.run_with_iobinding(binding)
        return DecoderState(self.decoder, cross, self.running.device)

    def _cross_shapes(self, frames: int) -> list[tuple[int, ...]]:
        """Return the shape of each output of the encoder for a window of so many frames: the axis that has no size."""
        shapes = [output.shape[1:] for output in self.encoder.get_outputs()]
        return [tuple(size if isinstance(size, int) else frames for size in shape) for shape in shapes]


class DecoderState:
    """The decoder's state for several windows: what it reads of the encoder, and its own keys and values so far.

    A step copies none of it: ONNX Runtime reads the encoder's arrays where they are, and what one step puts out is
    bound as what the next one takes in.
    """

    def __init__(self, decoder: ort.InferenceSession, cross: list[np.ndarray], device: Device) -> None:
        self._decoder, self._cross, self._device = decoder, cross, device
        self._binding = decoder.io_binding()
        self._bound: dict[str, ort.OrtValue] = {}  # the binding itself does not keep the arrays alive
        count, heads, _, width = cross[1].shape
        self._bind("cross", cross)
        self._bind("past", [np.empty((count, heads, 0, width), np.float32)] * len(cross))

    def step(self, ids: np.ndarray) -> np.ndarray:
        """Decode the next tokens, ids [b, t], of every window; return float32 logits [b, vocabulary] after the last."""
        self._binding.bind_cpu_input("ids", np.ascontiguousarray(ids, np.int64))
        self._binding.clear_binding_outputs()
        for node in self._decoder.get_outputs():
            where = Device() if node.name == "logits" else self._device
            self._binding.bind_output(node.name, where.kind, where.number)
        self._decoder.run_with_iobinding(self._binding)
        logits, *present = self._binding.get_outputs()
        self._rebind("past", present)
        return logits.numpy()

    def parts(self, row: int, starts: np.ndarray, length: int) -> DecoderState:
        """Return the state of parts of a window, as windows of their own: encoder frames [p] from `starts` on."""
        cut = [
            np.stack([_frames(array[row], start, length, key=place % 2 == 0) for start in starts.tolist()])
            for place, array in enumerate(self._cross)
        ]
        return DecoderState(self._decoder, cut, self._device)

    def keep(self, rows: Sequence[int]) -> list[int]:
        """Go on with some windows only; return their former rows in the order that they now have.

        The last windows take the places of those that are dropped, so that little is copied.
        """
        order = list(range(len(rows)))
        free = [row for row in order if row not in rows]
        movers = [row for row in rows if row not in order]
        for target, source in zip(free, movers, strict=True):
            order[target] = source
            for array in self._cross:
                array[target] = array[source]
        self._cross = [array[: len(order)] for array in self._cross]
        self._bind("cross", self._cross)
        self._bind("past", [value.numpy()[order] for value in self._values("past")])
        return order

    def _names(self, prefix: str) -> list[str]:
        return [node.name for node in self._decoder.get_inputs() if node.name.startswith(prefix)]

    def _values(self, prefix: str) -> list[ort.OrtValue]:
        return [self._bound[name] for name in self._names(prefix)]

    def _bind(self, prefix: str, arrays: list[np.ndarray]) -> None:
        where = self._device
        self._rebind(prefix, [ort.OrtValue.ortvalue_from_numpy(array, where.kind, where.number) for array in arrays])

    def _rebind(self, prefix: str, values: list[ort.OrtValue]) -> None:
        for name, value in zip(self._names(prefix), values, strict=True):
            self._bound[name] = value
            self._binding.bind_ortvalue_input(name, value)


def _frames(array: np.ndarray, start: int, length: int, key: bool) -> np.ndarray:
    """Return some frames of what a layer reads of the encoder: a key [h, d, s] or a value [h, s, d]."""
    return array[:, :, start : start + length] if key else array[:, start : start + length]


def _session(path: Path, running: Running) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = running.threads
    options.enable_cpu_mem_arena = False  # it would keep the peak of the longest run for good
    # Threads that wait by spinning take the cores from the other steps of the ensemble, and a busy machine decodes a
    # third slower; on an idle one it gains 3 %.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    device = running.device
    return ort.InferenceSession(path, options, providers.listed(device.kind == "cuda", device.number))
