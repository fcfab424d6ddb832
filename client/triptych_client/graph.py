"""The graph: how the steps of `contract.py` are joined to the ensemble that clients call.

Tensors meet by name. An output has its own name in small letters, and an input takes what an earlier step made under
the same name. In capitals are the ensemble's own tensors, which clients send and get: VIDEO, and every output of the
ensemble, made by the last step that has an output so named. Only what goes by another name is written down here.
`triptych.serving.wiring` joins the steps and refuses what does not fit; `triptych configs` writes the result into
`model_repository/emotion/config.pbtxt`.
"""

from __future__ import annotations

from triptych_client.contract import ANSWER, EMBEDDINGS, ENSEMBLE, LOOKS, VIDEO, Step

WHOLE = Step(
    ENSEMBLE,
    "One clip in, one answer out. Read this file first: it is the whole graph, step by step; each step is a folder "
    "beside this one, and every tensor is defined in client/triptych_client/contract.py. One request is one clip "
    "(max_batch_size 0); the neural steps batch on their own first axis, so that Triton mixes the faces, windows and "
    "utterances of many clips into one execution. Tensors in capitals are the ensemble's own, those in small letters "
    "stay inside.",
    0,
    (VIDEO,),
    (*ANSWER, *EMBEDDINGS, *LOOKS),
)
"""The ensemble, as clients see it."""

PARTS = {
    "media_probe": "the container: limits, facts, which frames to sample; nothing is decoded before this",
    "video_decode": "face: frames -> boxes -> aligned faces -> expression",
    "audio_decode": "the audio track",
    "sound_features": "sound: log-mel -> audio tags -> emotions that such sounds express",
    "speech_detector": "when somebody speaks; nothing else is taken for voice or words",
    "voice_features": "voice: log-mel -> intonation",
    "whisper_features": "words: log-mel -> utterances -> ids -> emotion of the text",
    "fusion": "all of it -> the answer",
}
"""The parts of the graph, by the step that each begins with: the headings in the ensemble's config."""

RENAMED = {
    "expression": {"LOGITS": "face_logits", "EMBEDDING": "FACE_EMBEDDINGS"},
    "sound_features": {"FEATURES": "sound_features"},
    "sound_tagger": {"FEATURES": "sound_features"},
    "sound_emotion": {"LOGITS": "sound_logits"},
    "voice_features": {"FEATURES": "voice_features"},
    "voice_emotion": {"FEATURES": "voice_features", "LOGITS": "voice_logits"},
    "whisper_features": {"LOG_MEL": "whisper_log_mel"},
    "whisper": {"LOG_MEL": "whisper_log_mel"},
    "text_emotion": {"LOGITS": "words_logits", "EMBEDDING": "WORDS_EMBEDDINGS"},
}
"""By step: its tensors whose name in the ensemble is not their own."""
