"""Whisper's graphs against the same model in transformers: numbers of both, and the tokens of the whole loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from export.gates.inputs import Feeds
from export.gates.measure import MOST_DIFFERENCE, Gate, Subject
from networks.whisper.loaded import Whisper
from triptych.resources import cores
from triptych.serving.engines import Precision
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import WINDOW_S, Running
from triptych.words.whisper.recogniser import Recogniser

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"


def tokens(whisper: Whisper, log_mel: np.ndarray, language: str) -> list[int]:
    """Return text and timestamps as transformers decodes a window [1, bands, 3000] greedily in a language."""
    model: Any = whisper.model
    asked = {"task": "transcribe", "language": language or None} if whisper.rules["multilingual"] else {}
    found = model.generate(torch.from_numpy(log_mel), return_timestamps=True, **asked)[0].tolist()
    end, last_special = whisper.rules["end_of_text"], whisper.rules["no_timestamps"]
    return [token for token in found if token < end or token > last_special]


class Comparison:
    """The graphs of a folder beside the model that they were made of; one window after the other, each by itself."""

    def __init__(self, entry: str, folder: Path, whisper: Whisper) -> None:
        logging.set_verbosity_error()
        self.entry, self.folder, self.whisper = entry, folder, whisper
        self.model: Any = whisper.model  # what transformers' layers really hold, PyTorch's types do not tell
        self.recogniser = Recogniser(folder, Running(cores()))

    def gates(self, inputs: str, feeds: Feeds) -> Iterator[Gate]:
        """Yield what is compared on windows: `log_mel` f32 [n, mels, 3000], `pieces` as the contract's CHUNK_PIECES."""
        encoder, decoder, others = 0.0, 0.0, 0
        for log_mel, pieces in zip(feeds["log_mel"], feeds["pieces"], strict=True):
            encoded = self.encoded(log_mel)
            language = self.language(encoded)
            (ours,) = self.recogniser.transcribe(log_mel[None], pieces[None], [DecodingOptions(language=language)])
            theirs = tokens(self.whisper, log_mel[None], language)
            others += theirs != list(ours.tokens)
            encoder = max(encoder, self.encoder_difference(log_mel, encoded))
            decoder = max(decoder, self.decoder_difference(log_mel, encoded, theirs))
        what = "largest difference from PyTorch, as a share of the largest value"
        yield self.gate(ENCODER, inputs, what, encoder, MOST_DIFFERENCE)
        yield self.gate(DECODER, inputs, what, decoder, MOST_DIFFERENCE)
        yield self.gate(
            f"{ENCODER}, {DECODER}", inputs, f"windows of {len(feeds['log_mel'])} with another token", others, 0
        )

    def gate(self, file: str, inputs: str, what: str, figure: float, limit: float) -> Gate:
        """Return one comparison, in fp32: Whisper is served in nothing else."""
        return Subject("whisper", self.entry, self.folder / file).gate(Precision.FP32, inputs, what, figure, limit)

    @torch.inference_mode()
    def encoded(self, log_mel: np.ndarray) -> Tensor:
        """Return what transformers' encoder makes of a window: states [1, 1500, d]."""
        return self.model.model.encoder(torch.from_numpy(log_mel[None])).last_hidden_state

    @torch.inference_mode()
    def language(self, encoded: Tensor) -> str:
        """Return the language of a window as transformers tells it; English where the model knows no other.

        What is served also tells the languages of parts of a window, which transformers does not.
        """
        if not self.whisper.rules["multilingual"]:
            return "en"
        token = int(self.model.detect_language(encoder_outputs=BaseModelOutput(encoded))[0])
        return next(name for name, number in self.whisper.rules["languages"].items() if number == token)

    @torch.inference_mode()
    def encoder_difference(self, log_mel: np.ndarray, encoded: Tensor) -> float:
        """Return how far the keys and values of every decoder layer are from transformers'."""
        graph = self.recogniser.model.encoder.run(None, {"log_mel": log_mel[None]})
        wanted = []
        for layer in self.model.model.decoder.layers:
            attention = layer.encoder_attn
            heads = attention.num_heads, -1
            wanted.append(attention.k_proj(encoded).unflatten(-1, heads).permute(0, 2, 3, 1))
            wanted.append(attention.v_proj(encoded).unflatten(-1, heads).transpose(1, 2))
        return max(share(np.asarray(one), other.numpy()) for one, other in zip(graph, wanted, strict=True))

    @torch.inference_mode()
    def decoder_difference(self, log_mel: np.ndarray, encoded: Tensor, tokens: list[int]) -> float:
        """Return how far the logits after each token are from transformers', both given the same tokens."""
        ids = np.array([[self.whisper.rules["start_of_transcript"], *tokens]])
        wanted = self.model(
            encoder_outputs=BaseModelOutput(encoded), decoder_input_ids=torch.from_numpy(ids)
        ).logits.numpy()
        state = self.recogniser.model.encode(log_mel[None], WINDOW_S)
        steps = range(ids.shape[1])
        return max(share(state.step(ids[:, step : step + 1]), wanted[:, step]) for step in steps)


def share(one: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference as a share of the largest value; infinite where one is no number.

    Keys reach 8 and logits 36, as sums of 2048 products in one order or another: the small ones among them are as far
    apart as the large ones.
    """
    away = np.abs(one - other).max() / np.abs(other).max()
    return float(away) if np.isfinite(away) else float("inf")
