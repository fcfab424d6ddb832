from __future__ import annotations

import numpy as np
import pytest

from triptych.sound.tags import MAX_TAGS, strongest

LABELS = [f"class {i}" for i in range(20)]


def spans(count: int) -> np.ndarray:
    return np.array([[i, i + 1] for i in range(count)], np.float32)


def test_a_short_laugh_is_not_lost_in_a_long_silence():
    tags = np.zeros((12, 20), np.float32)
    tags[5:8, 3] = 0.9
    names, scores = strongest(tags, spans(12), LABELS)
    assert names == ["class 3"]
    assert scores[0] == pytest.approx(0.9)


def test_no_more_than_eight_strongest_first():
    tags = np.tile(np.linspace(0.1, 0.9, 20, dtype=np.float32), (4, 1))
    names, scores = strongest(tags, spans(4), LABELS)
    assert len(names) == MAX_TAGS
    assert names[0] == "class 19"
    assert (np.diff(scores) <= 0).all()


def test_windows_without_sound_do_not_count():
    names, scores = strongest(np.ones((1, 20), np.float32), np.zeros((1, 2), np.float32), LABELS)
    assert names == []
    assert scores.shape == (0,)
