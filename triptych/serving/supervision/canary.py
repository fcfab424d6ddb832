"""A clip of one second that is asked from time to time whether everything answers: the graph, and each step alone.

What a step is asked is what it is given in the graph: at the start the clip goes through the steps one by one, and what
each gives the next is kept. So the tensors fit whichever models are exported.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from fractions import Fraction

import av
import numpy as np
import structlog
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient, InferResult
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from triptych.serving import wiring
from triptych_client.contract import ENSEMBLE, VIDEO

Arrays = Mapping[str, np.ndarray]

log = structlog.get_logger()

SIDE_PX = 64
RATE_HZ = 4
SOUND_RATE_HZ = 16_000
TONE_HZ, LOUDNESS = 440.0, 0.1
NUMBERS = frozenset({"LOGITS", "TAGS"})
"""What networks answer; of other tensors some are not-a-number where there is nothing to tell."""


def clip() -> np.ndarray:
    """Return a media file as UINT8 [bytes]: one second of grey pictures and of a tone."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        pictures = container.add_stream("mpeg4", rate=RATE_HZ)
        pictures.width = pictures.height = SIDE_PX
        sound = container.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")
        for number in range(RATE_HZ):
            frame = av.VideoFrame.from_ndarray(np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
            container.mux(pictures.encode(frame))
        times = np.arange(SOUND_RATE_HZ, dtype=np.float32) / SOUND_RATE_HZ
        tone = (LOUDNESS * np.sin(2 * np.pi * TONE_HZ * times)).astype(np.float32)
        heard = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        heard.sample_rate = SOUND_RATE_HZ
        container.mux(sound.encode(heard))
        for stream in (pictures, sound):
            container.mux(stream.encode(None))
    return np.frombuffer(target.getvalue(), np.uint8)


class Canary:
    """Asks a Triton. No question is ever taken back: a cancelled request can stop Triton 2.51 for good."""

    def __init__(self) -> None:
        self._questions: dict[str, Arrays] = {ENSEMBLE: {VIDEO.name: clip()}}

    def knows(self, model: str) -> bool:
        """Tell whether there is something to ask this model."""
        return model in self._questions

    async def prove(self, client: InferenceServerClient, models: Collection[str]) -> str:
        """Ask each step, then the graph; return what is wrong with the first that is, "" when all answer with numbers.

        The graph is asked only when every step is well: beside a step that fails, 2.51 may lose the whole request.
        """
        faults = await self.learn(client, models)
        if not faults and ENSEMBLE in models:
            faults = [fault for fault in [await self.ask(client, ENSEMBLE)] if fault]
        return faults[0] if faults else ""

    async def learn(self, client: InferenceServerClient, steps: Collection[str]) -> list[str]:
        """Send the clip through those steps that are there, one by one, and keep what each is given.

        Return what is wrong with those that do not answer, or answer with logits that are no numbers.
        """
        faults: list[str] = []
        known = dict(self._questions[ENSEMBLE])
        for node in wiring.nodes():
            if node.step.name in steps and known.keys() >= set(node.inputs.values()):
                question = {tensor: known[name] for tensor, name in node.inputs.items()}
                try:
                    answer = await _infer(client, node.step.name, question)
                except InferenceServerException as error:
                    log.error("a step does not answer a good clip", step=node.step.name, error=str(error))
                    faults.append(f"{node.step.name} answers a good clip with: {error.message()}")
                    continue
                self._questions[node.step.name] = question
                made = {name: _array(answer, tensor) for tensor, name in node.outputs.items()}
                known.update(made)
                if any(not np.isfinite(made[node.outputs[tensor]]).all() for tensor in NUMBERS & node.outputs.keys()):
                    faults.append(f"{node.step.name} answers a good clip with what is no number")
        return faults

    async def ask(self, client: InferenceServerClient, model: str) -> str:
        """Ask a model; return what is wrong with its answer, "" when nothing is."""
        try:
            await _infer(client, model, self._questions[model])
        except InferenceServerException as error:
            return f"{model} answers a good clip with: {error.message()}"
        return ""


async def _infer(client: InferenceServerClient, model: str, arrays: Arrays) -> InferResult:
    inputs = []
    for name, array in arrays.items():
        tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    answer = await client.infer(model, inputs)
    assert answer, "only a streaming call has none"
    return answer


def _array(answer: InferResult, tensor: str) -> np.ndarray:
    array = answer.as_numpy(tensor)
    assert array is not None, f"Triton left out {tensor}"
    return array
