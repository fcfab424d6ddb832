"""Fits what tells hidden eyes and mouths (`triptych.face.hidden`), and writes its weights and card.

python -m training.face.hidden --data DIR

DIR holds fer2013_train_val.npz. Half of FER2013's training faces are hidden by things that are drawn (`hiding`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from training.data import fer
from training.face import hiding
from triptych.face import hidden
from triptych.face.hidden import Parts

FACES = 8000
PARTS = ("eyes", "mouth")
REGULARISATION = 0.05
"""Inverse of its strength (scikit-learn's C)."""


def hide(faces: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return each face as it is (twice), and hidden in each way: UINT8 [5 m, 48, 48], and which PARTS are [5 m, 2]."""
    views, parts = [], []
    for face in faces:
        row, box, part = (
            (hiding.MOUTH_ROW, hiding.MOUTH_BOX, [0, 1])
            if random.random() < 0.5
            else (hiding.EYES_ROW, hiding.EYES_BOX, [1, 0])
        )
        views += [face, face, hiding.mask(face, random), hiding.sunglasses(face, random)]
        views.append(
            hiding.hand(face, row + random.normal(0, 2), random)
            if random.random() < 0.5
            else hiding.thing(face, box, faces, random)
        )
        parts += [[0, 0], [0, 0], [0, 1], [1, 0], part]
    return np.stack([hiding.framed(view, random) for view in views]), np.array(parts)


def fit(views: np.ndarray, parts: np.ndarray) -> Parts:
    """Return the two regressions."""
    features = hidden.gradients(views)
    models = [LogisticRegression(C=REGULARISATION, max_iter=500).fit(features, column) for column in parts.T]
    return Parts(np.concatenate([model.coef_ for model in models]), np.concatenate([one.intercept_ for one in models]))


def report(model: Parts, views: np.ndarray, parts: np.ndarray) -> str:
    """Return a table of how well hidden parts of held-out faces are told: false alarms first."""
    chances, clean = model.hidden_parts(views), ~parts.any(axis=1)
    rows = [
        (
            part,
            f"{(chances[clean, column] > hidden.CERTAIN[1]).mean():.2%}",
            f"{(chances[clean, column] > hidden.CERTAIN[0]).mean():.1%}",
            f"{(chances[parts[:, column] > 0, column] > hidden.CERTAIN[0]).mean():.1%}",
            f"{roc_auc_score(parts[:, column], chances[:, column]):.3f}",
        )
        for column, part in enumerate(PARTS)
    ]
    header = ("part", "seen, taken for wholly hidden", "for partly", "hidden, noticed", "area under the curve")
    return tabulate(rows, header, tablefmt="github")


def main(data: Annotated[Path, typer.Option()], out: Annotated[Path, typer.Option()] = hidden.WEIGHTS.parent) -> None:
    """Fit on training faces, measure on the validation faces, write hidden.npz and its card into --out."""
    training, validation = (part.images.numpy() for part in fer.load(data, 0.0))
    random = np.random.default_rng(0)
    chosen = training[random.permutation(len(training))[:FACES]]
    path = out / hidden.WEIGHTS.name
    fit(*hide(chosen, random)).write(path)
    template = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    table = report(Parts.read(path), *hide(validation, random))
    path.with_suffix(".md").write_text(template.format(table=table, faces=len(chosen)), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
