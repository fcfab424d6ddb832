"""Learning what hides a face, of faces that are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from samples import fer
from training.face import hidden as recipe
from training.face import hiding
from triptych.face.hidden import Parts

Hide = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def drawn(count: int, random: np.random.Generator) -> np.ndarray:
    """Return faces UINT8 [count, 48, 48] of eyes, brows, a nose and a mouth, each a little different."""
    faces = np.zeros((count, 48, 48), np.uint8)
    for face in faces:
        face[:] = random.integers(120, 200)
        for column in (15, 32):
            cv2.circle(face, (column, 18), int(random.integers(2, 4)), 30, -1)
            cv2.line(face, (column - 4, 13), (column + 4, 13 + int(random.integers(-1, 2))), 60, 1)
        cv2.line(face, (24, 20), (24, 28), 90, 1)
        cv2.ellipse(face, (24, 36), (int(random.integers(5, 8)), int(random.integers(1, 4))), 0, 0, 360, 50, -1)
    return faces


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fer.write(tmp_path_factory.mktemp("fer"), images=drawn(84, np.random.default_rng(0)))


def test_the_recipe_learns_what_is_hidden_and_writes_its_card(data: Path, tmp_path: Path):
    recipe.main(data, tmp_path)
    faces, random = drawn(20, np.random.default_rng(1)), np.random.default_rng(2)
    model = Parts.read(tmp_path / "hidden.npz")
    assert (model.hidden_parts(faces) < 0.5).all()
    assert (model.hidden_parts(np.stack([hiding.mask(face, random) for face in faces]))[:, 1] > 0.5).mean() > 0.8
    assert (model.hidden_parts(np.stack([hiding.sunglasses(face, random) for face in faces]))[:, 0] > 0.5).mean() > 0.8
    card = (tmp_path / "hidden.md").read_text(encoding="utf-8")
    assert "from 56 training faces" in card
    assert "| mouth" in card


@pytest.mark.parametrize(
    ("hide", "rows"),
    [
        (hiding.mask, slice(32, 44)),
        (hiding.sunglasses, slice(15, 22)),
        (lambda face, random: hiding.hand(face, hiding.MOUTH_ROW, random), slice(30, 44)),
        (lambda face, random: hiding.thing(face, hiding.EYES_BOX, 255 - face[None], random), slice(14, 22)),
    ],
)
def test_what_hides_a_part_changes_that_part(hide: Hide, rows: slice):
    random = np.random.default_rng(0)
    for face in drawn(10, random):
        change = np.abs(hide(face, random).astype(int) - face)
        assert change[rows].mean() > 3 * max(change[:8].mean(), 1)
