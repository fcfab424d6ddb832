"""Descriptions of the sounds of each emotion, which the names of AudioSet's classes are compared with.

How they were written. A class of AudioSet is a kind of sound, not a feeling, so a bare word such as "sadness" is a poor
partner for "Wail, moan". Each emotion is described by the same six parts, so that none is described more broadly than
another: the person who feels it; two bursts of the voice that listeners take for it (after the corpora of Lima, Castro
and Scott 2013 and of Anikin and Persson 2017) with their common synonyms; a third sound or exclamation of it; a crowd;
music of that mood. Excitement counts as happiness, as in GoEmotions' grouping by Ekman's emotions. Neutral is described
by the kinds of sound that AudioSet has beside these: things, machines, animals, weather, calm speech, plain music; an
alarm or a bang may frighten, but nobody expresses anything by it.

They are English, as AudioSet's names are; e5 places Russian ones further from every English name than the emotions are
from each other. They were written by hand, by people who know AudioSet's list.
"""

from __future__ import annotations

SOUNDS: dict[str, tuple[str, ...]] = {
    "anger": (
        "a person who feels anger",
        "shouting and yelling in rage",
        "growling and snarling with hostility",
        "swearing and quarrelling in a furious voice",
        "an angry crowd that boos and protests",
        "angry, aggressive music",
    ),
    "disgust": (
        "a person who feels disgust",
        "gagging, retching and vomiting in disgust",
        "burping, spitting and other revolting noises of the body",
        "a groan of disgust: ugh! yuck!",
        "a crowd that is disgusted",
        "disgusting, repulsive music",
    ),
    "fear": (
        "a person who feels fear",
        "screaming in terror",
        "shrieking in panic",
        "a frightened cry for help",
        "a terrified crowd that flees in panic",
        "scary, frightening music",
    ),
    "happiness": (
        "a person who feels happiness",
        "laughing with joy",
        "giggling, chuckling and snickering with amusement",
        "a whoop of delight: hooray!",
        "a crowd that cheers and applauds",
        "happy, cheerful, exciting music",
    ),
    "sadness": (
        "a person who feels sadness",
        "crying and sobbing with grief",
        "moaning, wailing and whimpering with sorrow",
        "a sad, heavy sigh",
        "a crowd that weeps at a funeral",
        "sad, mournful music",
    ),
    "surprise": (
        "a person who feels surprise",
        "gasping in surprise",
        "an exclamation of astonishment: oh! wow!",
        "a startled cry",
        "a crowd that is astonished",
        "surprising music",
    ),
    "neutral": (
        "a person who feels nothing in particular",
        "a person speaks in a calm, ordinary voice",
        "breathing, coughing, walking, handling things",
        "people chat, the murmur of a crowd",
        "background music, musical instruments, singing",
        "a machine or a vehicle runs",
        "an animal, wind, water and weather",
        "an alarm, a siren, a bell or a bang",
    ),
}
"""Emotion -> descriptions, in the order of the contract's emotions."""
