"""The speech recogniser: log-mels of 30 s in, transcripts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from triptych.errors import RequestError
from triptych.words.whisper.decoding import Decoding, Wish, decode
from triptych.words.whisper.model import Device, Model
from triptych.words.whisper.passes import in_passes
from triptych.words.whisper.rules import Rules
from triptych.words.whisper.transcripts import Transcript, transcript


class Recogniser:
    """Whisper, loaded from a folder that `networks.whisper.published` wrote."""

    def __init__(self, folder: Path, threads: int, device: Device | None = None) -> None:
        self.rules = Rules.read(folder / "generation.json")
        self.model = Model(folder, threads, device or Device())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def wish(self, parameters: Mapping[str, Any]) -> Wish:
        """Read a request's parameters `task` and `language`; RequestError when Whisper does not know one of them."""
        task, language = parameters.get("task", "transcribe"), parameters.get("language") or None
        if task not in self.rules.tasks:
            raise RequestError(f"the parameter task is {task!r}; it can be {' or '.join(self.rules.tasks)}")
        if language is not None and language not in self.rules.languages:
            raise RequestError(
                f"the parameter language is {language!r}; it can be one of {', '.join(self.rules.languages)}, "
                "or left out to let Whisper tell it from the sound"
            )
        return Wish(task, language)

    def transcribe(self, log_mel: np.ndarray, spans: np.ndarray, wishes: Sequence[Wish]) -> list[Transcript]:
        """Return a transcript for each window.

        log_mel: float32 [b, 80, 3000]; spans: [b, 2] start and end of the sound in the clip, in seconds (equal: no
        sound, which costs nothing); wishes: one for each window. A window that cannot be decoded is without speech.
        """
        transcripts = [Transcript()] * len(wishes)
        sound_s = spans[:, 1] - spans[:, 0]
        heard = np.flatnonzero(sound_s > 0)
        found = in_passes(self.decode, log_mel[heard], sound_s[heard], [wishes[row] for row in heard], self.rules)
        for row, passes in zip(heard, found, strict=True):
            if passes:
                transcripts[row] = transcript(passes, spans[row], self.rules, self.tokenizer)
        return transcripts

    def decode(self, log_mel: np.ndarray, wishes: Sequence[Wish]) -> list[Decoding | None]:
        """Return the tokens of one pass over each window."""
        return decode(self.model, log_mel, wishes, self.rules)
