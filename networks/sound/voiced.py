"""Which classes of AudioSet are speech, and which are other sounds of a mouth that a speech detector takes for it.

A tagger gives both sums up beside its classes (SPEECH_TAGS of the step `sound_tagger`), so that no other step needs to
know its labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from triptych.errors import TriptychError

SPEECH = (
    "Speech", "Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking",
    "Conversation", "Narration, monologue", "Babbling", "Speech synthesizer", "Shout", "Bellow", "Whoop", "Yell",
    "Battle cry", "Children shouting", "Screaming", "Whispering",
)  # fmt: skip
OTHER = (
    "Laughter", "Baby laughter", "Giggle", "Snicker", "Belly laugh", "Chuckle, chortle",
    "Crying, sobbing", "Baby cry, infant cry", "Whimper", "Wail, moan", "Sigh", "Groan", "Grunt",
    "Breathing", "Wheeze", "Snoring", "Gasp", "Pant", "Snort", "Cough", "Throat clearing", "Sneeze", "Sniff",
    "Burping, eructation", "Hiccup",
)  # fmt: skip
"""Names of the ontology (Gemmeke et al. 2017) below "Human voice" and "Respiratory sounds". Singing is neither."""


def places(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return where the classes of SPEECH and of OTHER are among a tagger's; TriptychError when it lacks either."""
    found = [[place for place, name in enumerate(names) if name in wanted] for wanted in (SPEECH, OTHER)]
    if not all(found):
        raise TriptychError(
            "the tagger names no class of AudioSet that is speech, or none of laughter, crying and their like "
            f"(networks/sound/voiced.py): its {len(names)} classes begin with {', '.join(names[:3])}"
        )
    return found[0], found[1]


def nodes(names: Sequence[str]) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return operators from TAGS [p, classes] to SPEECH_TAGS [p, 2], and their constants.

    The first is the largest probability of a class of speech, the second the sum of the others'.
    """
    speech, other = places(names)
    operators = [
        helper.make_node("Gather", ["TAGS", "speech_places"], ["speech_classes"], axis=1),
        helper.make_node("ReduceMax", ["speech_classes", "class_axis"], ["speech_most"], keepdims=1),
        helper.make_node("Gather", ["TAGS", "other_places"], ["other_classes"], axis=1),
        helper.make_node("ReduceSum", ["other_classes", "class_axis"], ["other_sum"], keepdims=1),
        helper.make_node("Concat", ["speech_most", "other_sum"], ["SPEECH_TAGS"], axis=1),
    ]
    constants = {"speech_places": speech, "other_places": other, "class_axis": [1]}
    return operators, [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
