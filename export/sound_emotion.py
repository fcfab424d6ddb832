"""Sound: audio tags -> emotions by comparing the tags' names with descriptions, baked into one matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import GraphProto, helper, numpy_helper

from export import descriptions, onnx_graph, sound_tagger
from export.e5 import Embedder
from triptych_client.contract import EMOTIONS, STEPS

NEUTRAL = EMOTIONS.index("neutral")


def likeness(tags: np.ndarray, described: np.ndarray) -> np.ndarray:
    """Return how like each tag is to each emotion: unit embeddings [t, d] and [7, descriptions, d] -> [t, 7].

    e5's cosines all lie between 0.7 and 1, so both sides are centred before the cosine. A tag is compared with the
    mean of an emotion's nearest descriptions. The result is centred over tags and over emotions, so that neither an
    emotion described broadly nor a tag close to all of them has an advantage.
    """
    centred_tags = _unit(tags - tags.mean(axis=0))
    centred_descriptions = _unit(described - described.mean(axis=(0, 1)))
    cosines = np.einsum("td,ekd->tek", centred_tags, centred_descriptions)
    nearest = np.sort(cosines, axis=-1)[..., -descriptions.SOUND_NEAREST :].mean(axis=-1)
    by_tag = nearest - nearest.mean(axis=0)
    return by_tag - by_tag.mean(axis=1, keepdims=True)


def evidence(likenesses: np.ndarray) -> np.ndarray:
    """Return the logits [t, 7] that each tag adds when it is heard in full; most tags, such as speech, add none.

    A tag speaks for an emotion only by what it is liker to it than to neutral, and than chance. It never speaks for
    neutral: that is what is left when nothing else is heard.
    """
    excess = likenesses - np.maximum(likenesses[:, [NEUTRAL]], 0) - descriptions.SOUND_THRESHOLD
    excess[:, NEUTRAL] = 0
    return np.clip(descriptions.SOUND_GAIN * excess, 0, descriptions.SOUND_LIMIT)


def tag_matrix(names: Sequence[str], embedder: Embedder) -> np.ndarray:
    """Return the matrix [tags, 7] float32 from the tags' names; lower case, as words in a text are."""
    texts = [text for emotion in EMOTIONS for text in descriptions.SOUNDS[emotion]]
    described = embedder.embed(texts).reshape(len(EMOTIONS), -1, embedder.encoder.config.hidden_size)
    return evidence(likeness(embedder.embed([name.lower() for name in names]), described)).astype(np.float32)


def build(matrix: np.ndarray) -> GraphProto:
    """Return the served graph: TAGS float32 [n, tags] -> LOGITS float32 [n, 7] = heard(TAGS) @ matrix + bias.

    A tag is heard in proportion to its probability, and in full from SOUND_HEARD on.
    """
    step = STEPS["sound_emotion"]
    bias = np.zeros(len(EMOTIONS), np.float32)
    bias[NEUTRAL] = descriptions.SOUND_NEUTRAL_LOGIT
    constants = {"matrix": matrix, "bias": bias, "heard": descriptions.SOUND_HEARD, "none": 0, "full": 1}
    return helper.make_graph(
        [
            helper.make_node("Div", ["TAGS", "heard"], ["proportion"]),
            helper.make_node("Clip", ["proportion", "none", "full"], ["strength"]),
            helper.make_node("Gemm", ["strength", "matrix", "bias"], ["LOGITS"]),
        ],
        "sound_emotion",
        [onnx_graph.value(step.tensor("TAGS"), (len(matrix),))],
        [onnx_graph.value(step.tensor("LOGITS"))],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
    )


def export(sources: Mapping[str, Path], target: Path) -> None:
    """Write model.onnx for the tagger's classes."""
    embedder = Embedder(sources["multilingual-e5-small"])
    matrix = tag_matrix(sound_tagger.labels(sources["yamnet"]), embedder)
    onnx_graph.save(build(matrix), target / "model.onnx")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
