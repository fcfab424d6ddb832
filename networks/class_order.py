"""Which class of a published checkpoint is which of the seven emotions."""

from __future__ import annotations

from collections.abc import Mapping

from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

SYNONYMS = {
    "anger": ("anger", "angry", "ang"),
    "disgust": ("disgust", "disgusted", "dis"),
    "fear": ("fear", "fearful", "afraid", "scared", "fea"),
    "happiness": ("happiness", "happy", "joy", "hap"),
    "sadness": ("sadness", "sad"),
    "surprise": ("surprise", "surprised", "sur"),
    "neutral": ("neutral", "neu"),
}
"""What published models of faces and voices call the seven emotions, in lower case."""


def label_order(labels: Mapping[int, str]) -> list[int]:
    """Return the model's class for each of EMOTIONS; TriptychError when one has none."""
    classes = {name.lower(): index for index, name in labels.items()}
    order = []
    for emotion in EMOTIONS:
        found = [classes[name] for name in SYNONYMS[emotion] if name in classes]
        if not found:
            raise TriptychError(f"the checkpoint has no class for {emotion}; its id2label names {sorted(classes)}")
        order.append(found[0])
    return order
