"""Synthesised recordings for the tests of speech recognition: speech in five languages, silence, noise."""

import numpy as np

from triptych.commands.demo_speech import synthesise

STORY = (
    "My father was a fisherman, and his father before him. Every morning they went out to sea before the sun came up. "
    "In the evening they came home with the catch, and the whole village waited on the shore. One winter the storm was "
    "so strong that nobody could go out. We sat by the fire, and my mother told us stories about the old days. "
    "She said that the sea gives and the sea takes, and that we should never be angry with it."
)

SPOKEN = {
    "a greeting": ("Good morning. How are you today?", "en", 150),
    "fast speech": ("I am so happy to see you again! Where have you been all this time?", "en-us", 230),
    "a woman": ("I am afraid that something is wrong.", "en-us+f3", 150),
    "Russian": ("Сегодня очень хорошая погода, и мы идём гулять в парк.", "ru", 130),
    "Russian questions": ("Ну что, звоним в скорую? Из-за чего это?", "ru", 130),
    "German": ("Der Zug nach Berlin fährt heute leider nicht.", "de", 140),
    "French": ("Je voudrais un café et un verre d'eau, s'il vous plaît.", "fr", 140),
    "Spanish": ("Buenos días, quiero un café con leche.", "es", 140),
}
"""Text, voice of eSpeak NG, words a minute."""


def recordings() -> dict[str, np.ndarray]:
    """Return the recordings by name: float32 PCM, 16 kHz."""
    spoken = {name: synthesise(*arguments) for name, arguments in SPOKEN.items()}
    noise = 0.1 * np.random.default_rng(0).standard_normal(6 * 16_000)
    return {**spoken, "silence": np.zeros(5 * 16_000, np.float32), "noise": noise.astype(np.float32)}


def cut_off() -> np.ndarray:
    """Return 30 s of a story that goes on: a window whose last sentence Whisper leaves to a second pass."""
    return synthesise(STORY, "en-us", 135)[: 30 * 16_000]
