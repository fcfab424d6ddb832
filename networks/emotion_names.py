"""What published models and corpora call the seven emotions: the one place where foreign labels become ours."""

from __future__ import annotations

from triptych_client.contract import EMOTIONS

NAMES = {
    "anger": ("anger", "angry", "ang", "annoyance", "disapproval"),
    "disgust": ("disgust", "disgusted", "dis"),
    "fear": ("fear", "fearful", "afraid", "scared", "fea", "nervousness"),
    "happiness": (
        "happiness", "happy", "hap", "joy", "admiration", "amusement", "approval", "caring", "desire", "excitement",
        "gratitude", "love", "optimism", "pride", "relief",
    ),
    "sadness": ("sadness", "sad", "disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("surprise", "surprised", "sur", "confusion", "curiosity", "realization"),
    "neutral": ("neutral", "neu", "calm", "no_emotion"),
}  # fmt: skip
"""Emotion -> its names, in lower case, `_` for a space.

GoEmotions' 27 are grouped by Ekman's emotions as its authors group them (Demszky et al. 2020, arXiv:2005.00547;
ekman_mapping.json beside their data). RAVDESS' calm is neutral: both are its baselines (Livingstone and Russo 2018).
no_emotion is CEDR's (Sboev et al. 2021). The short ones are those of IEMOCAP, and so of SUPERB.
"""
LEFT_OUT = ("contempt",)
"""Classes that are known to be none of the seven (AffectNet, FER+)."""
_EMOTIONS = {name: emotion for emotion in EMOTIONS for name in NAMES[emotion]}


def emotion_of(label: str) -> str | None:
    """Return which of EMOTIONS a label names; None when it names none of them."""
    return _EMOTIONS.get(_plain(label))


def is_left_out(label: str) -> bool:
    """Tell whether a label is known to name none of the seven."""
    return _plain(label) in LEFT_OUT


def known() -> str:
    """Return every name that is known, for a message."""
    return ", ".join(_EMOTIONS)


def _plain(label: str) -> str:
    return "_".join(label.lower().replace("-", " ").split())
