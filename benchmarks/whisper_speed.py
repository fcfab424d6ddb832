"""How fast is the exported Whisper beside the same model in transformers, both in float32 on this machine?

python -m benchmarks.whisper_speed [--repeats 5]
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from transformers.utils import logging

from benchmarks.measure import Seconds, interleave, publish, table
from export import catalog, fetch
from export.gates.inputs import log_mels
from networks.whisper import published
from triptych.commands.demo_speech import synthesise
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych.sound.mel import WHISPER_N_MELS
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import WINDOW_S, Running
from triptych.words.whisper.recogniser import Recogniser

TEXT = (
    "My father was a fisherman, and his father before him. Every morning they went out to sea before the sun came up. "
    "In the evening they came home with the catch."
)
AT_ONCE = 4


def main() -> None:
    """Time encoding and greedy decoding with timestamps of one window, then of several, in turn with transformers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    logging.set_verbosity_error()
    model = published.read(fetch.fetch(catalog.load()["whisper-base"], CACHE)).model
    recogniser = Recogniser(MODEL_REPOSITORY / "whisper" / "1", Running(torch.get_num_threads()))
    pcm = synthesise(TEXT, "en-us", 150)
    log_mel = log_mels(pcm[None], WHISPER_N_MELS)
    several = np.repeat(log_mel, AT_ONCE, axis=0)

    def theirs(mels: np.ndarray) -> object:
        return model.generate(
            torch.from_numpy(mels),
            return_timestamps=True,
            task="transcribe",
            language="en",
            force_unique_generate_call=True,
        )

    def ours(mels: np.ndarray) -> list:
        return recogniser.decode(mels, [DecodingOptions("transcribe", "en")] * len(mels))

    tokens = len(ours(log_mel)[0].tokens)
    with torch.inference_mode():
        rows = [
            row(
                "encoder",
                *interleave(
                    repeats, lambda: encoder(model, log_mel), lambda: recogniser.model.encode(log_mel, WINDOW_S)
                ),
            ),
            row(f"one window, {tokens} tokens", *interleave(repeats, lambda: theirs(log_mel), lambda: ours(log_mel))),
            row(f"{AT_ONCE} windows at once", *interleave(repeats, lambda: theirs(several), lambda: ours(several))),
        ]
    header = ("least (median) of " + str(repeats), "transformers, ms", "ONNX Runtime, ms", "times as fast")
    publish("whisper_speed", "python -m benchmarks.whisper_speed", table(header, rows))


def encoder(model, log_mel: np.ndarray) -> torch.Tensor:
    """Run transformers' encoder."""
    return model.model.encoder(torch.from_numpy(log_mel)).last_hidden_state


def row(what: str, theirs: Seconds, ours: Seconds) -> tuple[str, ...]:
    """Return a line of the table."""
    cells = (f"{1000 * time.least:.0f} ({1000 * time.median:.0f})" for time in (theirs, ours))
    return (what, *cells, f"{theirs.least / ours.least:.2f} ({theirs.median / ours.median:.2f})")


if __name__ == "__main__":
    main()
