"""Emotional speech of several corpora: clips by speaker, as windows of log-mel or of the sound itself."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.data.augment_speech import augment
from triptych.errors import TriptychError
from triptych.media import audio
from triptych.sound.mel import voice_log_mel
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ, VOICE_SAMPLES

FOLDER = "speech"
MAX_SECONDS = 600.0
"""What is longer is no utterance."""
HOP_SAMPLES = SAMPLE_RATE_HZ // 2
"""Windows of a clip start every half second, and one ends with it."""

Augmentation = Callable[[Tensor, torch.Generator], Tensor]
"""Makes windows [n, ..] differ from those recorded."""
Features = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Corpus:
    """A corpus: how the columns of its table are named, and how its archive's name ends.

    `sentence`, what is said, is a column that a table may lack.
    """

    name: str
    speaker: str = "speaker"
    label: str = "label7"
    sentence: str = "transcript"
    archive: str = "opus16.tar"


CORPORA = {
    corpus.name: corpus
    for corpus in (
        Corpus("ravdess", "actor", archive="flac16.tar"),
        Corpus("emodb", sentence="transcript_de", archive="flac16.tar"),
        Corpus("nemo"),
        Corpus("cremad", label="voice_vote"),  # what listeners heard: the actors were asked for little but two emotions
        Corpus("emovo"),
        Corpus("ased"),
    )
}
ALL_SEVEN = ("ravdess", "emodb")
"""Corpora for training that have every emotion of ours."""
MEASURED_ONLY = ("emovo", "ased")
"""Corpora whose terms are not stated: nothing is trained on them."""


@dataclass(frozen=True)
class Recording:
    """One clip: pcm float32 [samples] in [-1, 1], 16 kHz mono; index into EMOTIONS; who says what, in which corpus."""

    pcm: np.ndarray
    label: int
    speaker: str
    corpus: str
    sentence: str = ""


@dataclass(frozen=True)
class SpeechWindows:
    """Windows f16 [w, ..], the clip [w] that each is of, and label, speaker, corpus and sentence of each clip.

    A window is log-mel [64, 300], or other features of 3 s.
    """

    windows: Tensor
    clip_of_window: np.ndarray
    labels: np.ndarray
    speakers: np.ndarray
    corpora: np.ndarray
    sentences: np.ndarray

    def choose(self, clips: np.ndarray) -> SpeechWindows:
        """Return the part with these clips (sorted numbers), which are counted anew."""
        kept = np.isin(self.clip_of_window, clips)
        numbers = np.searchsorted(clips, self.clip_of_window[kept])
        windows = self.windows[torch.from_numpy(kept)]
        facts = (self.labels, self.speakers, self.corpora, self.sentences)
        return SpeechWindows(windows, numbers, *(column[clips] for column in facts))

    def of_clips(self, logits: np.ndarray) -> np.ndarray:
        """Return the mean of what is said of each clip's windows: [w, 7] -> f32 [clips, 7]."""
        sums = np.zeros((len(self.labels), logits.shape[1]), np.float32)
        np.add.at(sums, self.clip_of_window, logits)
        return sums / np.bincount(self.clip_of_window)[:, None]


def files(data: Path, corpora: Iterable[str] = ALL_SEVEN) -> list[Path]:
    """Return what is read."""
    return [path for corpus in corpora for path in _paths(data / FOLDER, CORPORA[corpus])]


def speakers(data: Path, corpora: Iterable[str] = ALL_SEVEN) -> set[str]:
    """Return who speaks in `recordings`, without reading a recording. TriptychError: a table is missing or damaged."""
    found = set()
    for corpus in (CORPORA[name] for name in corpora):
        table, _ = _existing(data / FOLDER, corpus)
        found |= {_name(corpus, row) for row in _read_labels(table, corpus).values()}
    return found


def load(data: Path) -> SpeechWindows:
    """Read every labelled clip of `data/speech` as windows; see `recordings` for the errors."""
    return windows(recordings(data))


def recordings(data: Path, corpora: Collection[str] = ALL_SEVEN) -> Iterator[Recording]:
    """Yield every labelled clip of some corpora of `data/speech`.

    TriptychError: a file is missing or damaged, or no clip has one of the emotions that these corpora are for.
    """
    empty = set(EMOTIONS)
    for corpus in (CORPORA[name] for name in corpora):
        for row, pcm in _clips(data / FOLDER, corpus):
            empty.discard(row[corpus.label])
            said = row.get(corpus.sentence, "")
            yield Recording(pcm, EMOTIONS.index(row[corpus.label]), _name(corpus, row), corpus.name, said)
    if empty and set(ALL_SEVEN) <= set(corpora):
        missing = ", ".join(emotion for emotion in EMOTIONS if emotion in empty)
        raise TriptychError(f"{data / FOLDER} has no clip of {missing}: each of the seven emotions needs some")


def windows(
    clips: Iterable[Recording], features: Features = voice_log_mel, cut_up: Features | None = None
) -> SpeechWindows:
    """Cut recordings into windows of 3 s, and take the features of each: f32 [48000] -> f32 [..].

    `cut_up`: f32 [samples] -> windows [w, 48000]; `cut` if none is given.
    """
    rows, facts = [], []
    for number, clip in enumerate(clips):
        rows += [(number, torch.from_numpy(features(window)).half()) for window in (cut_up or cut)(clip.pcm)]
        facts.append((clip.label, clip.speaker, clip.corpus, clip.sentence))
    clip_of_window, features_of_window = zip(*rows, strict=True)
    columns = (np.array(column) for column in zip(*facts, strict=True))
    return SpeechWindows(torch.stack(features_of_window), np.array(clip_of_window), *columns)


def cut(pcm: np.ndarray) -> np.ndarray:
    """Cut float32 [samples] into overlapping windows [w, 48000], as where the model is served, but more of them."""
    return audio.voice_windows(pcm, HOP_SAMPLES).pcm


def fill_window(pcm: np.ndarray) -> np.ndarray:
    """Put float32 [samples] in the middle of silence where it is shorter than a window."""
    return pcm if len(pcm) >= VOICE_SAMPLES else audio.voice_windows(pcm).pcm[0]


def decode(file: bytes) -> np.ndarray:
    """Decode an audio file as where the model is served: float32 [samples] in [-1, 1], 16 kHz mono, at its level.

    Silence has no samples. ValueError for a file without sound.
    """
    sound = audio.decode(file, MAX_SECONDS)
    if sound.status.reason == "silent":
        return np.zeros(0, np.float32)
    if not sound.status.ok:
        raise ValueError(f"{sound.status.reason} {sound.status.value}".strip())
    return sound.pcm


def batches(
    speech: SpeechWindows, size: int, generator: torch.Generator, augmented: Augmentation = augment
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (augmented windows [size, ..], labels [size]): each clip once an epoch, by a window at random."""
    last_window = np.cumsum(np.bincount(speech.clip_of_window))
    first_window = np.concatenate([[0], last_window[:-1]])
    draw = torch.rand(len(speech.labels), generator=generator).numpy()
    window = first_window + (draw * (last_window - first_window)).astype(np.int64)
    order = torch.randperm(len(window), generator=generator).numpy()
    for start in range(0, len(order) - size + 1, size):
        clips = order[start : start + size]
        yield augmented(speech.windows[window[clips]], generator), torch.from_numpy(speech.labels[clips])


def _name(corpus: Corpus, row: Mapping[str, str]) -> str:
    """Return who speaks, as no other corpus calls anybody."""
    return f"{corpus.name} {row[corpus.speaker]}"


def _paths(folder: Path, corpus: Corpus) -> tuple[Path, Path]:
    """Return the table of a corpus and its archive."""
    return folder / f"{corpus.name}_labels.csv", folder / f"{corpus.name}_{corpus.archive}"


def _existing(folder: Path, corpus: Corpus) -> tuple[Path, Path]:
    """Return the same; TriptychError when one is not there."""
    for path in _paths(folder, corpus):
        if not path.is_file():
            raise TriptychError(f"there is no {path.name} in {folder}: --data is the folder that holds {FOLDER}/")
    return _paths(folder, corpus)


def _clips(folder: Path, corpus: Corpus) -> Iterator[tuple[dict[str, str], np.ndarray]]:
    """Yield (row of the labels, pcm) of each clip whose emotion is one of ours; not of silence, as CREMA-D has one."""
    table, archive = _existing(folder, corpus)
    rows = _read_labels(table, corpus)
    try:
        with tarfile.open(archive) as members:
            for member in members:
                row = rows.pop(Path(member.name).stem, None)
                content = members.extractfile(member) if row else None
                if row and content:
                    pcm = _decode(content.read(), f"{archive}: {member.name}")
                    if len(pcm):
                        yield row, pcm
    except (tarfile.TarError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(":")  # tarfile goes on with a line for each compression
        raise TriptychError(f"{archive} is not a readable archive: {reason}. Fetch it again.") from error
    if rows:
        raise TriptychError(f"{archive} lacks {len(rows)} clips of {table.name}, such as {next(iter(rows))}")


def _read_labels(table: Path, corpus: Corpus) -> dict[str, dict[str, str]]:
    """Return the rows whose emotion is one of ours, by the clip's name."""
    columns = ("file", corpus.label, corpus.speaker)
    try:
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TriptychError(f"{table} is not a readable table: {error}. Fetch it again.") from error
    if missing:
        raise TriptychError(
            f"{table} has no column {', '.join(missing)}: each clip needs its file, emotion and speaker"
        )
    return {Path(row["file"]).stem: row for row in rows if row[corpus.label] in EMOTIONS}


def _decode(file: bytes, name: str) -> np.ndarray:
    try:
        return decode(file)
    except (TriptychError, ValueError) as error:
        raise TriptychError(
            f"{name} is not a readable recording: {error}. Restore it, or take it off the labels."
        ) from error
