"""Does the exported Whisper hear what others make of the same weights, and how many words does it get wrong?

python -m benchmarks.whisper_wer --data DIR [--rival transformers] [--rival openai-whisper]
python -m benchmarks.whisper_wer --librispeech DIR [--split test-clean] [--split test-other] [--most N]

DIR/asr/manifest.csv (columns file, lang, transcript) names recordings; their language is told by the served model.
LibriSpeech's folder is the one that its archives unpack to; a page of it is whisper_librispeech.md, and there the
language is given, as in Whisper's paper (Radford et al. 2022, table 8: base has 5.0 and 12.4 % on the two). All decode
greedily with timestamps. What is longer than 30 s is cut at pauses, as it is served; the speech detector has no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jiwer
import numpy as np
import typer
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

from benchmarks import transcribed
from benchmarks.measure import publish, table
from benchmarks.transcribed import Transcribed
from benchmarks.whisper_rivals import RIVALS, Rival, text_of
from export import catalog, runner
from export.gates.inputs import log_mels
from networks.whisper.loaded import Whisper
from triptych.errors import TriptychError
from triptych.media import audio
from triptych.paths import CACHE, MODEL_REPOSITORY
from triptych.resources import cores
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import Running
from triptych.words.whisper.recogniser import Recogniser
from triptych_client.contract import SAMPLE_RATE_HZ

LONGEST_S = 60.0
NORMALIZERS = {"en": EnglishTextNormalizer({})}
"""Of the paper; spellings are left as they are. Other languages: `BasicTextNormalizer`."""
OURS = "served"


@dataclass(frozen=True)
class Heard:
    """One recording: what was said, what each program made of it, normalised, and whose tokens are ours."""

    name: str
    language: str
    said: str
    texts: Mapping[str, str]
    same_tokens: Mapping[str, bool]


@dataclass(frozen=True)
class Bench:
    """The served Whisper and its rivals."""

    recogniser: Recogniser
    whisper: Whisper
    rivals: Mapping[str, Rival]

    @classmethod
    def load(cls, repository: Path, names: Iterable[str]) -> Bench:
        """Read what is exported, and the weights that it was exported from."""
        (item,) = (item for item in runner.plan(repository, {}, {}) if item.entry.step == "whisper")
        read = catalog.resolve(f"{item.entry.network.partition(':')[0]}:read")
        whisper = read(*runner.gather(item, CACHE))
        rivals = {name: RIVALS[name](whisper) for name in names}
        return cls(Recogniser(repository / "whisper" / "1", Running(cores())), whisper, rivals)

    def hear(self, recording: Transcribed) -> Heard:
        """Decode a recording with all."""
        pcm = audio.decode(recording.path.read_bytes(), LONGEST_S).pcm
        chunks = audio.chunks(pcm)
        seconds = np.diff(chunks.spans, axis=1)[:, 0].tolist()
        bands = self.whisper.model.config.num_mel_bins
        options = DecodingOptions(language=recording.language if recording.asked else None)
        found: dict[str, list[list[int]]] = {name: [] for name in (OURS, *self.rivals)}
        language = ""
        for chunk, length in zip(chunks.pcm, seconds, strict=True):
            pieces = np.array([[[0, length]]])
            (ours,) = self.recogniser.transcribe(log_mels(chunk[None], bands), pieces, [options])
            language = ours.language or recording.language
            found[OURS].append(list(ours.tokens))
            for name, rival in self.rivals.items():
                found[name].append(rival(chunk[: round(length * SAMPLE_RATE_HZ)], language))
        normalize = NORMALIZERS.get(recording.language, BasicTextNormalizer())
        tokenizer = self.recogniser.tokenizer
        texts = {name: " ".join(text_of(part, self.whisper, tokenizer) for part in all) for name, all in found.items()}
        return Heard(
            recording.path.name,
            language,
            normalize(recording.words),
            {name: normalize(text) for name, text in texts.items()},
            {name: found[name] == found[OURS] for name in self.rivals},
        )


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with asr/manifest.csv.")] = None,
    librispeech: Annotated[Path | None, typer.Option(help="The folder LibriSpeech.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Of LibriSpeech; test-clean and test-other.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="So many recordings of each split.")] = None,
    rival: Annotated[list[str] | None, typer.Option(help=f"{' or '.join(RIVALS)}; none for LibriSpeech.")] = None,
) -> None:
    """Publish the word error rates, and on how many recordings the tokens are the same."""
    if (data is None) == (librispeech is None):
        raise TriptychError("name recordings by --data, or by --librispeech, and not by both")
    if unknown := [name for name in rival or () if name not in RIVALS]:
        raise TriptychError(f"there is no rival {unknown[0]}: use {' or '.join(RIVALS)}")
    if data:
        recordings = transcribed.of_table(data / "asr")
        bench = Bench.load(MODEL_REPOSITORY, rival or ["transformers"])
        heard = [bench.hear(recording) for recording in recordings]
        options = "".join(f" --rival {name}" for name in rival or ())
        name = "_".join(["whisper_wer", *(rival or ())])
        publish(name, f"python -m benchmarks.whisper_wer --data DIR{options}", by_recording(heard))
        return
    assert librispeech is not None
    splits = transcribed.of_librispeech(librispeech, split or transcribed.SPLITS, most)
    bench = Bench.load(MODEL_REPOSITORY, rival or [])
    found = {name: [bench.hear(recording) for recording in recordings] for name, recordings in splits.items()}
    options = "".join([*(f" --rival {name}" for name in rival or ()), f" --most {most}" if most else ""])
    command = f"python -m benchmarks.whisper_wer --librispeech DIR{options}"
    publish("whisper_librispeech", command, by_split(found))


def by_recording(heard: Sequence[Heard]) -> str:
    """Return a table with a line for each recording, and one for all."""
    names = list(heard[0].same_tokens)
    lines = [(one.name, one.language, *_cells([one], names)) for one in heard]
    lines.append(("all", "", *_cells(heard, names)))
    return table(("recording", "language told", *_header(names)), lines)


def by_split(found: Mapping[str, Sequence[Heard]]) -> str:
    """Return a table with a line for each split."""
    names = list(next(iter(found.values()))[0].same_tokens)
    lines = [(split, len(heard), *_cells(heard, names)) for split, heard in found.items()]
    return table(("split", "recordings", *_header(names)), lines)


def _header(names: Sequence[str]) -> list[str]:
    return [f"WER, {OURS}", *(column for name in names for column in (f"WER, {name}", "same tokens"))]


def _cells(heard: Sequence[Heard], names: Sequence[str]) -> list[str]:
    cells = [percent(heard, OURS)]
    for name in names:
        cells += [percent(heard, name), f"{sum(one.same_tokens[name] for one in heard)} of {len(heard)}"]
    return cells


def percent(heard: Sequence[Heard], whose: str) -> str:
    """Return the word error rate over recordings."""
    return f"{100 * jiwer.wer([one.said for one in heard], [one.texts[whose] for one in heard]):.1f} %"


if __name__ == "__main__":
    try:
        typer.run(main)
    except TriptychError as error:
        raise SystemExit(f"python -m benchmarks.whisper_wer: {error}") from error
