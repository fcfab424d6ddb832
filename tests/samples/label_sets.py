"""Label sets of published emotion models, and which of our emotions each label is: written down here by hand."""

from __future__ import annotations

GOEMOTIONS = {
    "admiration": "happiness", "amusement": "happiness", "anger": "anger", "annoyance": "anger",
    "approval": "happiness", "caring": "happiness", "confusion": "surprise", "curiosity": "surprise",
    "desire": "happiness", "disappointment": "sadness", "disapproval": "anger", "disgust": "disgust",
    "embarrassment": "sadness", "excitement": "happiness", "fear": "fear", "gratitude": "happiness",
    "grief": "sadness", "joy": "happiness", "love": "happiness", "nervousness": "fear", "optimism": "happiness",
    "pride": "happiness", "realization": "surprise", "relief": "happiness", "remorse": "sadness",
    "sadness": "sadness", "surprise": "surprise", "neutral": "neutral",
}  # fmt: skip
"""In the order of GoEmotions' emotions.txt."""
EKMAN = {
    "anger": "anger", "disgust": "disgust", "fear": "fear", "joy": "happiness", "neutral": "neutral",
    "sadness": "sadness", "surprise": "surprise",
}  # fmt: skip
EKMAN_SIX = {label: emotion for label, emotion in EKMAN.items() if label != "neutral"}
CEDR = {
    "no_emotion": "neutral", "joy": "happiness", "sadness": "sadness", "surprise": "surprise", "fear": "fear",
    "anger": "anger",
}  # fmt: skip
RAVDESS = {
    "angry": "anger", "calm": "neutral", "disgust": "disgust", "fearful": "fear", "happy": "happiness",
    "neutral": "neutral", "sad": "sadness", "surprised": "surprise",
}  # fmt: skip
SUPERB = {"neu": "neutral", "hap": "happiness", "ang": "anger", "sad": "sadness"}
SETS = {
    "GoEmotions": GOEMOTIONS, "Ekman": EKMAN, "Ekman without neutral": EKMAN_SIX, "CEDR": CEDR, "RAVDESS": RAVDESS,
    "SUPERB": SUPERB,
}  # fmt: skip
