"""When somebody speaks: a detector's probabilities, and what the audio tags say of the same time, made to spans.

A detector of speech takes laughter, moans and coughs for speech, and some screams for none; the audio tagger knows them
apart, and does not know when they begin. So the detector says when, and the tagger has a say in whether.
Spans here are sample numbers [v, 2] of the sound.
"""

from __future__ import annotations

import numpy as np

from triptych_client.contract import SAMPLE_RATE_HZ

FRAME_SAMPLES = 512
"""A detector decides every 32 ms, as Silero VAD does."""

SPEECH_PROBABILITY = 0.5
"""A frame from which on there is speech: the default of silero-vad (`utils_vad.py`, `get_speech_timestamps`)."""
TAGGED_PROBABILITY = 0.05
"""The same where the tagger is sure of speech: shouts that the detector gives 0.1 to 0.3."""
TAGGED_FROM, TAGGED_SURELY = 0.4, 0.9
"""Between these probabilities of speech, of the tagger, the threshold falls from the first to the second."""
PAUSE_SHARE = 0.7
"""Speech lasts until frames below this share of the threshold: 0.35 where that is 0.5, as in silero-vad."""
MIN_SPEECH_S, MIN_PAUSE_S = 0.25, 0.1
"""Shorter speech is none, and shorter pauses are none: the defaults of silero-vad."""

LEAST_TAG = 0.1
"""Speech to which the tagger gives less is none: of 328 recordings of speech, the least has 0.16."""
MOST_OTHER = 1.0
"""Sounds of a mouth that are not speech, as a share of speech, at most: of 328 recordings of speech one scream has 0.7
to 1, the others less; of 135 s of laughter and coughs that the detector takes for speech, 21 s have less."""
PAUSE_S = 1.0
"""Speech with no longer pauses is one stretch, which is judged as a whole."""

LEVEL = 0.1
"""Root mean square that the loudest 0.1 s is brought to before detection: what is said quietly is said."""
LEVEL_SAMPLES = SAMPLE_RATE_HZ // 10


def at_level(pcm: np.ndarray) -> np.ndarray:
    """Return sound FP32 [samples] with its loudest 0.1 s at LEVEL."""
    blocks = np.pad(pcm, (0, -len(pcm) % LEVEL_SAMPLES)).reshape(-1, LEVEL_SAMPLES)
    loudest = np.sqrt(np.square(blocks, dtype=np.float64).mean(axis=1)).max(initial=0)
    return (pcm * (LEVEL / loudest)).astype(np.float32) if loudest > 0 else pcm


def tags_of_frames(frames: int, windows: np.ndarray, speech_tags: np.ndarray) -> np.ndarray:
    """Return what the tagger says of each frame [frames, 2]: the mean of the windows over it; NaN where there is none.

    `windows` [p, 2] in seconds, `speech_tags` [p, 2] as SPEECH_TAGS of the contract.
    """
    middles = (np.arange(frames)[:, None] + 0.5) * FRAME_SAMPLES / SAMPLE_RATE_HZ
    over = ((windows[:, 0] <= middles) & (middles < windows[:, 1])).astype(np.float32)
    with np.errstate(invalid="ignore"):
        return over @ speech_tags / over.sum(axis=1, keepdims=True)


def spans(probabilities: np.ndarray, tags: np.ndarray, samples: int) -> np.ndarray:
    """Return where speech is, INT [v, 2], in sound of so many samples.

    `probabilities` [n] are a detector's for each frame, `tags` [n, 2] the tagger's, see `tags_of_frames`; where these
    are NaN, the detector decides alone.
    """
    found = _detected(probabilities, _thresholds(tags[:, 0]), samples)
    kept = [part for part in _joined(found, PAUSE_S) if _is_speech(tags[_frames_of(part)].mean(axis=0))]
    return np.concatenate(kept or [found[:0]])


def stretches(speech: np.ndarray, pause_s: float = PAUSE_S) -> np.ndarray:
    """Return the spans [k, 2] from the beginning to the end of speech [v, 2] whose pauses are no longer."""
    return np.array([[part[0, 0], part[-1, 1]] for part in _joined(speech, pause_s)], np.int64).reshape(-1, 2)


def _thresholds(speech_tags: np.ndarray) -> np.ndarray:
    """Return the probability from which on a frame is speech, where the tagger gives speech so much [n]."""
    sure = np.nan_to_num(np.clip((speech_tags - TAGGED_FROM) / (TAGGED_SURELY - TAGGED_FROM), 0, 1))
    return SPEECH_PROBABILITY + sure * (TAGGED_PROBABILITY - SPEECH_PROBABILITY)


def _detected(probabilities: np.ndarray, thresholds: np.ndarray, samples: int) -> np.ndarray:
    """Return spans INT [v, 2] that begin at a frame above its threshold and end where frames stay well below it."""
    found, start, quiet = [], -1, -1
    for frame, (probability, threshold) in enumerate(zip(probabilities.tolist(), thresholds.tolist())):
        place = frame * FRAME_SAMPLES
        if probability >= threshold:
            start, quiet = (place if start < 0 else start), -1
        elif start >= 0 and probability < PAUSE_SHARE * threshold:
            quiet = place if quiet < 0 else quiet
            if place - quiet >= MIN_PAUSE_S * SAMPLE_RATE_HZ:
                found.append((start, quiet))
                start = quiet = -1
    if start >= 0:
        found.append((start, samples if quiet < 0 else quiet))
    long_enough = [span for span in found if span[1] - span[0] > MIN_SPEECH_S * SAMPLE_RATE_HZ]
    return np.array(long_enough, np.int64).reshape(-1, 2)


def _joined(speech: np.ndarray, pause_s: float) -> list[np.ndarray]:
    """Return the spans [v, 2] in parts [.., 2] between longer pauses."""
    pauses = speech[1:, 0] - speech[:-1, 1]
    return np.split(speech, 1 + np.flatnonzero(pauses > pause_s * SAMPLE_RATE_HZ)) if len(speech) else []


def _frames_of(part: np.ndarray) -> np.ndarray:
    """Return the frames in spans [v, 2]."""
    return np.concatenate([np.arange(start // FRAME_SAMPLES, -(-end // FRAME_SAMPLES)) for start, end in part.tolist()])


def _is_speech(tags: np.ndarray) -> bool:
    """Tell whether the tagger, which says this [2] of a stretch, lets it be speech."""
    speech, other = tags
    return not (speech < LEAST_TAG or other > MOST_OTHER * speech)
