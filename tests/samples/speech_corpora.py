"""Miniatures of the speech corpora: tones in place of voices."""

from __future__ import annotations

import csv
import io
import tarfile
from itertools import product
from pathlib import Path

import av
import numpy as np

from training.data import speech
from triptych_client.contract import EMOTIONS, SAMPLE_RATE_HZ


def flac(pcm: np.ndarray) -> bytes:
    """Encode float32 [samples] as 16-bit FLAC."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray((pcm * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def tone(seconds: float, pitch_hz: float = 220.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ)).astype("f4")


def write_corpus(data: Path, name: str, speakers: int, emotions: tuple[str, ...] = EMOTIONS) -> None:
    """A corpus of tones, one clip an emotion and speaker, and one clip of an emotion that is not ours."""
    folder = data / speech.FOLDER
    folder.mkdir(exist_ok=True)
    corpus, rows = speech.CORPORA[name], []
    with tarfile.open(folder / f"{name}_{corpus.archive}", "w") as archive:
        for speaker, emotion in product(range(speakers), (*emotions, "")):
            content = flac(tone(1.0 + speaker % 2 * 2.6, 150 + 60 * len(emotion)))
            member = tarfile.TarInfo(f"{name}_flac16/{speaker}{emotion}.flac")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            rows.append({"file": f"{speaker}{emotion}.flac", corpus.label: emotion, corpus.speaker: speaker})
    with (folder / f"{name}_labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
