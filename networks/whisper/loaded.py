"""A Whisper that was read from one of the forms in which it is published, and the files of the step `whisper`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig, WhisperForConditionalGeneration

from networks.served import Parts
from networks.whisper.graphs import Decoder, Encoder
from triptych.errors import TriptychError
from triptych_client.contract import TASKS

TIMESTAMP_STEP_S = 0.02
"""Two log-mel frames of 10 ms, as the encoder's second convolution halves their rate."""
MAX_INITIAL_TIMESTAMP = 50
"""The first timestamp of a window is at most 1 s: `DecodingOptions.max_initial_timestamp` of openai/whisper."""
MULTILINGUAL_TOKENS = 51865
"""A vocabulary of so many tokens or more has languages: `Whisper.is_multilingual` of openai/whisper, `model.py`."""
START, END, NO_TIMESTAMPS = "<|startoftranscript|>", "<|endoftext|>", "<|notimestamps|>"


@dataclass(frozen=True)
class Whisper:
    """The float32 model in evaluation mode, the content of tokenizer.json, and the rules of decoding.

    The model's generation configuration is such that `model.generate` decodes as the reference does.
    """

    model: WhisperForConditionalGeneration
    tokenizer: str
    rules: dict[str, Any]

    def parts(self, n_mels: int) -> Parts:
        """Return both graphs, the tokenizer and the rules.

        TriptychError when it hears another number of mel bands.
        """
        heard = self.model.config.num_mel_bins
        if heard != n_mels:
            raise TriptychError(
                f"this Whisper hears {heard} mel bands, and the catalogue's entry gives it {n_mels}: choose the entry "
                f"for {heard} bands, see `triptych export --list`"
            )
        return {
            "encoder.onnx": Encoder(self.model),
            "decoder.onnx": Decoder(self.model),
            "tokenizer.json": self.tokenizer,
            "generation.json": json.dumps(self.rules, indent=1) + "\n",
        }


def is_multilingual(tokens: int) -> bool:
    """Tell whether a Whisper with so many tokens knows languages and tasks; else it is English only."""
    return tokens >= MULTILINGUAL_TOKENS


def generation_rules(
    vocabulary: Mapping[str, int],
    suppress: Sequence[int],
    suppress_at_begin: Sequence[int],
    multilingual: bool,
    max_initial_timestamp: int = MAX_INITIAL_TIMESTAMP,
) -> dict[str, Any]:
    """Return what decoding must know: the fields of `triptych.words.whisper.rules.Rules`, for generation.json.

    `vocabulary`: token -> id, as far as the special ones before the timestamps. TriptychError when it is not Whisper's.
    """
    try:
        start, no_timestamps = vocabulary[START], vocabulary[NO_TIMESTAMPS]
        tasks = {task: vocabulary[f"<|{task}|>"] for task in (TASKS if multilingual else TASKS[:1])}
        names = {token: name for name, token in vocabulary.items()}
        languages = range(start + 1, min(vocabulary[f"<|{task}|>"] for task in TASKS))
        return {
            "start_of_transcript": start,
            "end_of_text": vocabulary[END],
            "no_speech": no_timestamps - 1,  # its name differs between releases of the tokenizer, its place does not
            "no_timestamps": no_timestamps,
            "timestamp_begin": no_timestamps + 1,
            "timestamp_step_s": TIMESTAMP_STEP_S,
            "max_initial_timestamp": max_initial_timestamp,
            "multilingual": multilingual,
            "languages": {names[token].strip("<|>"): token for token in (languages if multilingual else languages[:1])},
            "tasks": tasks,
            "suppress": list(suppress),
            "suppress_at_begin": list(suppress_at_begin),
        }
    except KeyError as error:
        raise TriptychError(f"the tokenizer is not Whisper's: it has no token {error}") from error


def generation_config(rules: Mapping[str, Any]) -> GenerationConfig:
    """Return what `model.generate` of transformers is told of these rules."""
    end = rules["end_of_text"]
    languages: dict[str, Any] = {
        "lang_to_id": {f"<|{language}|>": token for language, token in rules["languages"].items()},
        "task_to_id": rules["tasks"],
    }
    return GenerationConfig(
        decoder_start_token_id=rules["start_of_transcript"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        is_multilingual=rules["multilingual"],
        no_timestamps_token_id=rules["no_timestamps"],
        max_initial_timestamp_index=rules["max_initial_timestamp"],
        suppress_tokens=rules["suppress"],
        begin_suppress_tokens=rules["suppress_at_begin"],
        max_length=448,
        **(languages if rules["multilingual"] else {}),
    )
