"""What tests feed to a model of the step `expression`."""

from __future__ import annotations

import numpy as np

from triptych.face import tracks


def inputs_of(faces: np.ndarray) -> dict[str, np.ndarray]:
    """Faces u8 [m, 112, 112, 3] as one person's, half a second apart."""
    times_s = np.arange(len(faces)) / 2
    return {"FACES": faces, "TRACK_POSITIONS": tracks.positions(np.zeros(len(faces), np.int32), times_s)}
