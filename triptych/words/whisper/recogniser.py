"""The speech recogniser: log-mels of 30 s in, transcripts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from triptych.errors import RequestError
from triptych.words.whisper.decoding import Decoding, DecodingOptions, decode
from triptych.words.whisper.model import Model, Running
from triptych.words.whisper.passes import decode_in_passes
from triptych.words.whisper.pieces import Pieces
from triptych.words.whisper.rules import Rules
from triptych.words.whisper.transcripts import UNHEARD, WindowTranscript, transcript


class Recogniser:
    """Whisper, loaded from a folder that `networks.whisper.loaded` wrote."""

    def __init__(self, folder: Path, running: Running) -> None:
        self.rules = Rules.read(folder / "generation.json")
        self.model = Model(folder, running)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def options(self, parameters: Mapping[str, Any]) -> DecodingOptions:
        """Read a request's parameters `task` and `language`; RequestError when Whisper does not know one of them."""
        task, language = parameters.get("task", "transcribe"), parameters.get("language") or None
        if task not in self.rules.tasks:
            raise RequestError(f"the parameter task is {task!r}; it can be {' or '.join(self.rules.tasks)}")
        if language is not None and language not in self.rules.languages:
            raise RequestError(
                f"the parameter language is {language!r}; it can be one of {', '.join(self.rules.languages)}, "
                "or left out to let Whisper tell it from the sound"
            )
        return DecodingOptions(task, language)

    def transcribe(
        self, log_mel: np.ndarray, pieces: np.ndarray, options: Sequence[DecodingOptions]
    ) -> list[WindowTranscript]:
        """Return a transcript for each window.

        log_mel: float32 [b, mels, 3000]; pieces: [b, 32, 2], which stretches of the clip the sound of each is, as
        CHUNK_PIECES of the contract (none: no sound, which costs nothing); options: those of each window. A window that
        cannot be decoded is without speech. One whose log-mel is not all numbers, since the step before failed, is
        UNHEARD.
        """
        held = [Pieces.of(row) for row in pieces]
        lost = ~np.isfinite(log_mel).all(axis=(1, 2))
        transcripts = [UNHEARD if row_lost else WindowTranscript() for row_lost in lost]
        sounding = [row for row, one in enumerate(held) if one.seconds > 0 and not lost[row]]
        found = decode_in_passes(
            self.decode,
            log_mel[sounding],
            [held[row].seconds for row in sounding],
            [options[row] for row in sounding],
            self.rules,
            self.model.at_once,
        )
        for row, passes in zip(sounding, found, strict=True):
            if passes:
                transcripts[row] = transcript(passes, held[row], self.rules, self.tokenizer)
        return transcripts

    def decode(self, log_mel: np.ndarray, options: Sequence[DecodingOptions]) -> list[Decoding | None]:
        """Return the tokens of one pass over each window."""
        return decode(self.model, log_mel, options, self.rules)
