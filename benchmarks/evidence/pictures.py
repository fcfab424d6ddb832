"""Is the picture that is shown the one that is looked at, for as long as it is shown, and to the end of the clip?"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from benchmarks.bars import Bar
from benchmarks.evidence import films
from benchmarks.evidence.check import Bench, Check

FORMS = {"mp4": "libx264", "matroska": "libx264", "mpegts": "libx264", "webm": "libvpx-vp9"}


def measure(bench: Bench) -> list[Bar]:
    """Make each kind of clip of a person's pictures, and count the samples in which the face is found."""
    one, other, *_ = films.people(bench.data)
    bars = [_standing(one, form, codec) for form, codec in FORMS.items()]
    bars += [_joined(one, other, form, codec) for form, codec in FORMS.items() if form != "mp4"]
    return [*bars, *_photo_and_gif(one), _late(one), _turned(one)]


def _share(name: str, value: float, least: float = 1.0) -> Bar:
    return Bar(f"{name}: share of samples with the face", value, least, at_least=True)


def _standing(shots: list[np.ndarray], form: str, codec: str) -> Bar:
    """Look at a webcam that stalls for 20 s, between two seconds of pictures that move."""
    times = [*np.arange(25) / 25, *(21 + np.arange(25) / 25)]
    seen = films.see(films.film(shots[:50], times, form, codec))
    return _share(f"a picture that stands for 20 s, {form}", seen.seen_share(0, 22))


def _joined(one: list[np.ndarray], other: list[np.ndarray], form: str, codec: str) -> Bar:
    """Look at two recordings of 3 s, one after the other in one file."""
    data = films.film(one[:75], None, form, codec) + films.film(other[:75], None, form, codec)
    seen = films.see(data)
    whole = min(seen.facts.duration_s / 6, 1.0)
    return _share(f"two recordings joined, {form}", seen.seen_share(0, 7) * whole, 0.95)


def _photo_and_gif(shots: list[np.ndarray]) -> list[Bar]:
    photo = films.see(films.film(shots[:1], voice_s=20))
    target, frames = io.BytesIO(), [Image.fromarray(shot) for shot in shots[:30:10]]
    frames[0].save(target, "gif", save_all=True, append_images=frames[1:], duration=[5000, 500, 4500])
    gif = films.see(target.getvalue())
    return [
        _share("a photograph with 20 s of voice", photo.seen_share(0, 20) * min(photo.facts.duration_s / 20, 1), 0.99),
        _share("a GIF of three pictures in 10 s", gif.seen_share(0, 10) * min(gif.facts.duration_s / 10, 1)),
    ]


def _late(shots: list[np.ndarray]) -> Bar:
    """Look at a picture that begins 6 s after the sound: not before."""
    seen = films.see(films.film(shots[:75], 6 + np.arange(75) / 25, voice_s=9))
    none_before = float(seen.frames.times.min() > 5.9)
    return _share("a picture that begins at 6 s, from then on", seen.seen_share(6, 9) * none_before)


def _turned(shots: list[np.ndarray]) -> Bar:
    """Look at a stream that becomes twice as large, and then upright."""
    sizes = [(180, 144), (360, 288), (288, 360)]
    parts = [films.film([_fitted(shot, size) for shot in shots[:25]], None, "h264") for size in sizes]
    return _share("a stream in three sizes", films.see(b"".join(parts)).seen_share(0, 3))


def _fitted(shot: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the middle of a picture at a size."""
    width, height = size
    image = Image.fromarray(shot)
    scale = max(width / image.width, height / image.height)
    grown = image.resize((round(image.width * scale), round(image.height * scale)))
    left, top = (grown.width - width) // 2, (grown.height - height) // 2
    return np.asarray(grown.crop((left, top, left + width, top + height)))


CHECK = Check("which picture", measure)
