"""The words of the voice channel's model card, and its results by corpus and by speaker."""

from __future__ import annotations

import numpy as np

from training.card import Card
from training.data.speech import Speech
from training.metrics import balanced_accuracy

CARD = Card(
    title="Voice: spectrogram and CNN with attention pooling",
    summary=(
        "The emotion that a voice expresses by its intonation, over anger, disgust, fear, happiness, sadness, surprise "
        "and neutral, in windows of 3 s. Log-mel (64 bands, 300 frames of 10 ms, `triptych/sound/mel.py`), taken "
        "relative to its loudest spot; residual 2D convolutions; attention over time. Training windows are shifted, "
        "mixed with white to brown noise at 0 to 30 dB (60 % of them), changed in gain by up to 13 dB, and partly "
        "masked."
    ),
    data=(
        "RAVDESS, actors 1 to 20 (1,200 clips, English, calm counted as neutral), and EMO-DB, 8 speakers (German, "
        "without boredom). Acted speech, few sentences."
    ),
    terms=(
        "Terms: RAVDESS is CC BY-NC-SA 4.0, so **these weights are for non-commercial use, under the same licence**; "
        "EMO-DB is free for research."
    ),
    splits=(
        "Results below are of a cross-validation over 28 speakers in five folds: nobody's voice is in training and "
        "held out at once. A fold's model is that of the last epoch, chosen by nothing; this recipe was kept against "
        "four others by fold 1, which may flatter that fold. A clip's logits are the mean of those of its windows; "
        "intervals resample speakers. The published weights are trained on all speakers by the same recipe, and were "
        "not measured themselves; their temperature is fitted on the held-out logits of all folds."
    ),
    limits=(
        "Actors who play emotions in studios, in two languages and 12 sentences: real speech is less clear, other "
        "languages, ages, rooms and microphones were not measured, and singing, several voices at once or music under "
        "speech will mislead it. It cannot tell speech from other sound. Not for emotion inference at work or in "
        "education."
    ),
    command="",
    parameters=0,
    temperature=1.0,
)


def results_by_group(speech: Speech, logits: np.ndarray) -> str:
    """Return the unweighted average recall of each corpus, and how far speakers differ, of logits [clips, 7]."""
    predicted = logits.argmax(1)
    corpora = [(corpus, speech.corpora == corpus) for corpus in np.unique(speech.corpora)]
    rows = [f"| {corpus} | {balanced_accuracy(speech.labels[of], predicted[of]):.3f} |" for corpus, of in corpora]
    right = predicted == speech.labels
    each = np.sort([right[speech.speakers == speaker].mean() for speaker in np.unique(speech.speakers)])
    table = "\n".join(("| corpus | unweighted average recall |", "|---|---|", *rows))
    spread = f"{each[0]:.2f} for the worst, {np.median(each):.2f} for the middle, {each[-1]:.2f} for the best"
    return f"{table}\n\nAccuracy by speaker: {spread} of {len(each)}."
