"""The words of the fusion's card; its numbers come from `fusion_report`."""

SUMMARY = (
    "`logits = b + sum_c mask_c (W_c x_c)` over the channels that are there; x_c holds a channel's calibrated logits, "
    "and the same times their reliability: the share of frames with the face, how few tags the sound has, the share of "
    "the voice's windows that is speech, the recogniser's confidence. Fitted with channel dropout and an L2 penalty "
    "that is chosen across speakers. The untouched part b is {bias}; a contribution holds its channel's equal share."
)
PAIRED = (
    "Clips are put together by label: a face of FER2013's validation split (four views of a still), a recording of "
    "RAVDESS or EMO-DB heard by a model that never heard its speaker, a text of the dev parts of GoEmotions (English, "
    "and a Russian translation) and CEDR, and in a quarter of the clips a laugh, cough, knock, alarm or applause. "
    "Speakers, faces, texts and sounds are either fitted on or tested on. The seven emotions are equally frequent. On "
    "the faces the face model's best epoch was chosen, and on the recordings the voice's recipe: both are flattered a "
    "little.\n\n"
    "**What that assumes**: channels are independent given the emotion, and express the same one. **What it cannot "
    "show**: how the system does on real clips, where channels share their errors, contradict each other on purpose, "
    "and where neutral is the most frequent; there the answer will be surer than it should be. Sounds other than "
    "laughter were not labelled with emotions: the sound channel hears speech, and laughs in happy clips only."
)
ON_CLIPS = (
    "{fit} clips of a labelled folder to fit on and {test} to test on, no group on both sides, as the served "
    "ensemble sees them. The channels' calibrations are those that were exported."
)
