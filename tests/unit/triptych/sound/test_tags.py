from __future__ import annotations

import numpy as np
import pytest

from triptych.sound.tags import MAX_TAGS, strongest, within


def spans(count: int) -> np.ndarray:
    return np.array([[i, i + 1] for i in range(count)], np.float32)


def test_a_short_laugh_is_not_lost_in_a_long_silence():
    tags = np.zeros((12, 20), np.float32)
    tags[5:8, 3] = 0.9
    heard = strongest(tags, spans(12))
    assert heard.classes.tolist() == [3]
    assert heard.scores[0] == pytest.approx(0.9)


def test_no_more_than_eight_strongest_first():
    tags = np.tile(np.linspace(0.1, 0.9, 20, dtype=np.float32), (4, 1))
    heard = strongest(tags, spans(4))
    assert len(heard.classes) == MAX_TAGS
    assert heard.classes[0] == 19
    assert (np.diff(heard.scores) <= 0).all()


def test_windows_without_sound_do_not_count():
    heard = strongest(np.ones((1, 20), np.float32), np.zeros((1, 2), np.float32))
    assert heard.classes.shape == heard.scores.shape == (0,)


def test_a_window_has_the_mean_of_what_it_shares_with_the_tagger_s():
    tags = np.array([[0.2, 1.0], [0.8, 0.0]], np.float32)
    found = within(tags, spans(2), np.array([[0, 2], [0.5, 1.25], [5, 7]]))
    np.testing.assert_allclose(found[0], [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(found[1], [0.4, 2 / 3], atol=1e-6)
    assert np.isnan(found[2]).all()


def test_no_sound_is_no_tag_anywhere():
    nowhere = np.full((1, 2), np.nan, np.float32)
    assert np.isnan(within(np.ones((1, 3), np.float32), nowhere, spans(4))).all()
    assert within(np.ones((1, 0), np.float32), spans(1), spans(4)).shape == (4, 0)
