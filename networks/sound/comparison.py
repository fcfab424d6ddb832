"""Sound: audio tags -> emotions by comparing the tags' names with descriptions, baked into one matrix.

How its constants were chosen is in weights/tag-comparison/README.md, which `triptych train sound` writes beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from onnx import GraphProto, TensorProto, helper, numpy_helper

from networks.served import GRAPH, Parts
from networks.sound import labels
from networks.sound.descriptions import SOUNDS
from networks.words.e5 import Embedder
from triptych.errors import TriptychError
from triptych_client.contract import EMOTIONS

NEUTRAL = EMOTIONS.index("neutral")
METHOD_FILE = "method.json"


@dataclass(frozen=True)
class Method:
    """The constants of the comparison.

    Descriptions are read after the e5 prompt `prompt`; `removed` leading directions of the tags' embeddings are left
    out; a tag is compared with the `nearest` descriptions of an emotion; it speaks for one from `threshold` standard
    deviations on, and each `temperature` of them further adds 1 logit, up to `limit`; from the probability `heard` on
    it counts in full; `neutral` is neutral's logit before anything is heard.
    """

    prompt: str
    removed: int
    nearest: int
    threshold: float
    temperature: float
    limit: float
    heard: float
    neutral: float

    def dump(self) -> str:
        """Return the constants as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def load_method(folder: Path) -> Method:
    """Read `folder`/method.json; TriptychError when it is not what `dump` writes."""
    path = folder / METHOD_FILE
    try:
        return Method(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TriptychError(
            f"{path} does not hold the constants of the tag comparison ({error}): make it with `triptych train sound`"
        ) from error


def likeness(tags: np.ndarray, described: Sequence[np.ndarray], removed: int, nearest: int) -> np.ndarray:
    """Return how like each tag is to each emotion: unit embeddings [t, d] and 7 of [descriptions, d] -> [t, 7].

    The cosines of sentence embeddings lie in a narrow cone (e5's between 0.7 and 1), so what all share is taken away
    first: the mean of either side, and the `removed` directions in which tags differ most, which tell music from
    machines rather than moods (Mu and Viswanath 2018, "All-but-the-top"). A tag is compared with the mean of an
    emotion's `nearest` descriptions: laughter need not be near applause to be happy. From this the tag's mean over
    the emotions is taken, and the result is scaled to mean 0 and deviation 1 over the tags. Most classes of AudioSet
    express nothing, so the tags themselves tell how far chance goes.
    """
    centre = np.mean([part.mean(axis=0) for part in described], axis=0)
    tags = tags - tags.mean(axis=0)
    common = np.linalg.svd(tags, full_matrices=False)[2][:removed]
    tags = _unit(_without(tags, common))
    cosines = [tags @ _unit(_without(part - centre, common)).T for part in described]
    closest = np.stack([np.sort(part, axis=1)[:, -nearest:].mean(axis=1) for part in cosines], axis=1)
    contrast = closest - closest.mean(axis=0)
    contrast -= contrast.mean(axis=1, keepdims=True)
    return contrast / contrast.std(axis=0)


def evidence(likenesses: np.ndarray, method: Method) -> np.ndarray:
    """Return the logits [t, 7] that each tag adds when it is heard in full; most tags, such as speech, add none.

    A tag speaks for an emotion only by what it is liker to it than to neutral, and than chance. It never speaks for
    neutral: that is what is left when nothing else is heard.
    """
    excess = likenesses - np.maximum(likenesses[:, [NEUTRAL]], 0) - method.threshold
    excess[:, NEUTRAL] = 0
    return np.clip(excess / method.temperature, 0, method.limit)


def tag_matrix(names: Sequence[str], embedder: Embedder, method: Method) -> np.ndarray:
    """Return the matrix [tags, 7] float32 from the tags' names."""
    tags, described = embed_names(names, embedder), embed_descriptions(embedder, method.prompt)
    return evidence(likeness(tags, described, method.removed, method.nearest), method).astype(np.float32)


def embed_names(names: Sequence[str], embedder: Embedder) -> np.ndarray:
    """Return the embeddings [t, d] of tags' names, as e5's `query: `; in lower case, as words in a text are."""
    return embedder.embed([name.lower() for name in names])


def embed_descriptions(embedder: Embedder, prompt: str) -> list[np.ndarray]:
    """Return the embeddings [descriptions, d] of the sounds of each of the seven emotions, after an e5 prompt."""
    return [embedder.embed(SOUNDS[emotion], prompt) for emotion in EMOTIONS]


def build(matrix: np.ndarray, method: Method) -> GraphProto:
    """Return the served graph: TAGS float32 [n, tags] -> LOGITS float32 [n, 7] = heard(TAGS) @ matrix + bias.

    A tag is heard in proportion to its probability, and in full from `method.heard` on.
    """
    bias = np.zeros(len(EMOTIONS), np.float32)
    bias[NEUTRAL] = method.neutral
    constants = {"matrix": matrix, "bias": bias, "heard": method.heard, "none": 0, "full": 1}
    return helper.make_graph(
        [
            helper.make_node("Div", ["TAGS", "heard"], ["proportion"]),
            helper.make_node("Clip", ["proportion", "none", "full"], ["strength"]),
            helper.make_node("Gemm", ["strength", "matrix", "bias"], ["LOGITS"]),
        ],
        "sound_emotion",
        [helper.make_tensor_value_info("TAGS", TensorProto.FLOAT, ["n", len(matrix)])],
        [helper.make_tensor_value_info("LOGITS", TensorProto.FLOAT, ["n", len(EMOTIONS)])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()],
    )


def of_yamnet(method: Path, tagger: Path, encoder: Path) -> Parts:
    """Return model.onnx for YAMNet's classes, from the folders of the method, of YAMNet and multilingual-e5-small."""
    return _parts(labels.of_yamnet(tagger), method, encoder)


def of_ast(method: Path, tagger: Path, encoder: Path) -> Parts:
    """Return model.onnx for the classes of an Audio Spectrogram Transformer's checkpoint, by the same method."""
    return _parts(labels.of_checkpoint(tagger), method, encoder)


def _parts(names: Sequence[str], method_folder: Path, encoder: Path) -> Parts:
    method = load_method(method_folder)
    return {GRAPH: build(tag_matrix(names, Embedder(encoder), method), method)}


def _without(vectors: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return vectors - vectors @ directions.T @ directions


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
