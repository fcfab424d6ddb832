"""The contract: every tensor that crosses a step of the ensemble, defined once.

Adapters, exports, the client and the tests take names, dtypes, shapes and units from here; `triptych configs` makes
every config.pbtxt of it, and of `graph.py` beside it. Letters in the shapes: n frames, m faces, p sound patches,
v spans of speech, w voice windows, c speech chunks (at most 30 s each), s utterances of a chunk (padded), u utterances
of the clip, t timeline windows, k audio tags, j people, r parts of the rationale, d an embedding's width. Times are
seconds from the start of the clip; boxes `x1, y1, x2, y2` in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = "triptych/1"
"""Version of the JSON answer; bumped on any breaking change."""

ENSEMBLE = "emotion"
"""Name of the ensemble that clients call."""

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""The seven expressed emotions, in the order of every [.., 7] tensor (Ekman's six and neutral)."""

CHANNELS = ("face", "sound", "voice", "words")
"""The four channels, in the order of every [4, ..] tensor."""

STATES = ("ok", "absent", "failed")
"""What a channel can be: used, not there (with weight 0), or broken (with weight 0)."""

STATUS_FIELDS = ("state", "reason", "value")
"""Columns of the status tensors: one of STATES, the code of a reason ("" for none), and the reason's value as text."""

REASONS = {
    "uncalibrated": "",
    "no_model": "",
    "not_finite": "",
    "step_failed": "",
    "no_video_track": "",
    "unknown_video_format": "",
    "undecodable_video": "codec",
    "decoder_crashed": "",
    "decoder_memory": "mebibytes",
    "decoder_time": "seconds",
    "no_face": "frames",
    "faces_left_out": "faces",
    "seen_in_part": "seconds",
    "no_audio_track": "",
    "unknown_audio_format": "",
    "undecodable_audio": "codec",
    "silent": "",
    "no_sound": "",
    "no_speech": "",
    "unsupported_language": "languages",
}
"""Why a stream or a channel is as it is, and what the value of that reason tells ("": it has none).

`uncalibrated` goes with a channel that is used: its model's logits were taken as they are. So do `faces_left_out`: so
many faces were found, but not analysed; everybody has some that were; and `seen_in_part`: from when to when the picture
was looked at, "20.0-59.8", where it is not there or cannot be decoded for the rest of the clip. `not_finite`: its model
gave no numbers; `step_failed`: a step before it could not be computed; `decoder_..`: what ended the process that
decoded the stream; `frames`: how many were looked at; `languages`: ISO 639-1 codes. The client has the words,
`Labels.reasons`.
"""

TASKS = ("transcribe", "translate")
"""What the speech recogniser may be asked for, as the request parameter `task`."""

# fmt: off
SPOKEN_LANGUAGES = (
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv",
    "it", "id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no",
    "th", "ur", "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr",
    "az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw",
    "gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu",
    "am", "yi", "lo", "uz", "fo", "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl",
    "mg", "as", "tt", "haw", "ln", "ha", "ba", "jw", "su", "yue",
)
# fmt: on
"""What the request parameter `language` can be: the languages of Whisper, by speech in its training data
(openai/whisper, tokenizer.py); `yue` came with large-v3."""
UNKNOWN_LANGUAGE = "?"
"""Stands for the language of speech that could not be recognised, because a step failed."""

SAMPLE_RATE_HZ = 16_000
CHUNK_SAMPLES = 30 * SAMPLE_RATE_HZ
"""Whisper's window: 30 s."""
VOICE_SAMPLES = 3 * SAMPLE_RATE_HZ
"""The voice channel's window: 3 s, about one spoken sentence."""
FACE_PX = 112
"""Side of an aligned face crop, in pixels (the customary size of aligned faces since ArcFace, Deng et al. 2019)."""
MAX_FACES_PER_FRAME = 32

CLIP_FIELDS = ("duration_s", "width_px", "height_px", "frame_rate_hz", "has_video", "has_audio")
"""Columns of CLIP. Width and height are those of the upright picture, after rotation."""

AUDIO_TRACK_FIELDS = ("index", "title", "language", "channels", "heard")
"""Columns of AUDIO_TRACKS: the stream's number in the file, its name and language as the file has them ("": not said),
how many channels it has, and what of them is heard: "" for nothing, ALL_CHANNELS, INVERTED or the only channel's name.
"""

ALL_CHANNELS, INVERTED = "all", "inverted"
"""All channels of a track are mixed; INVERTED: some turned over, since they would cancel each other."""

TRACK_REASONS = ("", "only", "mouth", "moves", "speech", "size")
"""Why the answer is about that person: nobody is seen; nobody else is; the mouth moves with the speech; no other face
moves at all; seen during most of the speech; largest."""

RATIONALE_KINDS = ("cause", "against")
"""What a part of the rationale does: it is a main cause of the answer's emotion, or speaks most for another one."""

RATIONALE_FIELDS = ("kind", "channel", "emotion", "what")
"""Columns of RATIONALE_PARTS; `what` is the utterance or the audio tag that is meant, "" for none."""

RELIABILITY_FIELDS = ("least", "most", "right", "clips")
"""Columns of RELIABILITY: of `clips` labelled clips whose best probability lay within `least` and `most`, the
share that was `right`."""

MODEL_FIELDS = ("role", "name", "sha256", "licence")
"""Columns of MODELS."""


@dataclass(frozen=True)
class Tensor:
    """One named tensor. `dims` leaves out the batch axis of a batching step; -1 is any length."""

    name: str
    dtype: str
    dims: tuple[int, ...]
    meaning: str


@dataclass(frozen=True)
class Step:
    """One Triton model of the repository. `max_batch_size` 0: no batch axis, one request at a time."""

    name: str
    meaning: str
    max_batch_size: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def tensor(self, name: str) -> Tensor:
        """Return the input or output called `name`; KeyError when the step has none."""
        for tensor in (*self.inputs, *self.outputs):
            if tensor.name == name:
                return tensor
        raise KeyError(f"step {self.name} has no tensor {name}")


# Tensors that more than one step shares.
VIDEO = Tensor("VIDEO", "UINT8", (-1,), "the bytes of one media file")
CLIP = Tensor("CLIP", "FP32", (len(CLIP_FIELDS),), "facts of the container, see CLIP_FIELDS")
FRAMES = Tensor("FRAMES", "UINT8", (-1, -1, -1, 3), "[n, H, W, 3] upright RGB frames")
FRAME_TIMES = Tensor(
    "FRAME_TIMES", "FP32", (-1,), "[n] when each frame was looked at; NaN: a blank stand-in, no frame was decoded"
)
VIDEO_STATUS = Tensor("VIDEO_STATUS", "BYTES", (len(STATUS_FIELDS),), "of the video stream, see STATUS_FIELDS")
AUDIO_STATUS = Tensor("AUDIO_STATUS", "BYTES", (len(STATUS_FIELDS),), "of the audio stream, see STATUS_FIELDS")
AUDIO_TRACKS = Tensor(
    "AUDIO_TRACKS", "BYTES", (-1, len(AUDIO_TRACK_FIELDS)), "[a, 5] the sound tracks of the file; an empty index: none"
)
PCM = Tensor("PCM", "FP32", (-1,), "[samples] the sound of the clip, 16 kHz mono in [-1, 1], from the clip's start")
SPEECH_SPANS = Tensor(
    "SPEECH_SPANS", "FP32", (-1, 2), "[v, 2] start and end of what was detected as speech; NaN: not told"
)
CHUNK_PIECES = Tensor(
    "CHUNK_PIECES",
    "FP32",
    (-1, 32, 2),
    "[c, 32, 2] start and end in the clip, or beyond, of the stretches of sound that make up a chunk; NaN: padding",
)
SOUND_SPANS = Tensor("SOUND_SPANS", "FP32", (-1, 2), "[p, 2] start and end of each sound window; equal: no sound")
VOICE_SPANS = Tensor("VOICE_SPANS", "FP32", (-1, 2), "[w, 2] start and end of each voice window; equal: no sound")
FACE_TIMES = Tensor("FACE_TIMES", "FP32", (-1,), "[m] time of the frame that a face is in")
FACE_TRACKS = Tensor("FACE_TRACKS", "INT32", (-1,), "[m] number of the person's track in the clip, from 0")
TRACK_POSITIONS = Tensor(
    "TRACK_POSITIONS",
    "INT64",
    (-1, 2),
    "[m, 2] what a model with a temporal layer orders faces by: key of the person's track, which no other clip shares "
    "(one execution holds the faces of many), and time in milliseconds; a model of one picture leaves it unused",
)
FACE_BOXES = Tensor("FACE_BOXES", "FP32", (-1, 4), "[m, 4] box in pixels of the upright source frame")
FACE_SCORES = Tensor("FACE_SCORES", "FP32", (-1,), "[m] the detector's probability of a face")
FACE_COUNT = Tensor(
    "FACE_COUNT", "INT32", (1,), "how many of the m rows are faces: 0 with one blank row, else m; -1: not told"
)
FACES_FOUND = Tensor("FACES_FOUND", "INT32", (1,), "how many faces were found; more than m: the others are left out")
FACE_STANDS_FOR = Tensor(
    "FACE_STANDS_FOR", "INT32", (-1,), "[m] for how many of the person's faces it stands; 1 where none is left out"
)
FACE_MOUTHS = Tensor(
    "FACE_MOUTHS", "FP32", (-1,), "[m] how much the mouth has moved since the person's face before; NaN: none before"
)
FACE_VISIBLE = Tensor(
    "FACE_VISIBLE", "FP32", (-1,), "[m] how much of the face is seen, not hidden or blurred: 0 to 1, which is all"
)
LOOKS_EACH = 6
"""Of so many of a person's faces the look is told, evenly over the clip; of fewer, the rows left are 0."""
LOOK_COUNTS = 8 * 8 * 59
"""A look is a histogram of 59 local patterns in each of 8 x 8 cells, in pixels (`triptych/face/appearance.py`)."""
TRACK_LOOKS = Tensor(
    "TRACK_LOOKS",
    "UINT8",
    (-1, LOOKS_EACH, LOOK_COUNTS),
    "[j, 6, 3776] how each person looks, for joining the windows of one film; all 0: not told, or a blank",
)
UTTERANCES = Tensor("UTTERANCES", "BYTES", (-1, -1), "[c, s] text of each utterance, UTF-8; empty: padding")
UTTERANCE_SPANS = Tensor("UTTERANCE_SPANS", "FP32", (-1, -1, 2), "[c, s, 2] start and end in the clip; NaN: padding")
UTTERANCE_LOGPROBS = Tensor("UTTERANCE_LOGPROBS", "FP32", (-1, -1), "[c, s] mean log-probability a token; NaN: padding")
LANGUAGES = Tensor(
    "LANGUAGES",
    "BYTES",
    (-1, -1),
    "[c, s] ISO 639-1 code of each utterance; empty: padding; UNKNOWN_LANGUAGE: the chunk could not be recognised",
)
LANGUAGE_PROBS = Tensor("LANGUAGE_PROBS", "FP32", (-1, -1), "[c, s] Whisper's probability of it; NaN: padding")


EVIDENCE = Tensor(
    "EVIDENCE",
    "FP32",
    (4, 14),
    "x of each channel as the fusion's regression takes it: calibrated logits, and the same times their reliability; "
    "NaN where it is not ok",
)


def _row(tensor: Tensor) -> Tensor:
    """Return the tensor as a batching step sees it: without its first axis."""
    return Tensor(tensor.name, tensor.dtype, tensor.dims[1:], tensor.meaning)


_LOGITS = Tensor("LOGITS", "FP32", (7,), "logits over EMOTIONS")
_EMBEDDING = Tensor("EMBEDDING", "FP32", (-1,), "[d] the model's own representation")
_SPEECH_TAGS = Tensor(
    "SPEECH_TAGS",
    "FP32",
    (2,),
    "the largest probability of a class that is speech, and the sum of those of laughter, crying, coughs and the like",
)
_FEATURES = Tensor("FEATURES", "FP32", (-1, -1), "what the model hears of one window; axes as it was trained")
_WHISPER_MEL = Tensor("LOG_MEL", "FP32", (-1, 3000), "Whisper's log-mel of 30 s: [80 or 128 mel bands, 10 ms frames]")

STEPS = {
    step.name: step
    for step in (
        Step(
            "media_probe",
            "Is this a clip that can be analysed, and which of its frames are worth decoding? Enforces every limit.",
            0,
            (VIDEO,),
            (
                CLIP,
                Tensor(
                    "PLANNED_INDICES",
                    "INT32",
                    (-1,),
                    "[n] index of the frame shown at each time, in order of presentation",
                ),
                Tensor("PLANNED_TIMES", "FP32", (-1,), "[n] when to look; empty plan: n = 0"),
            ),
        ),
        Step(
            "video_decode",
            "The planned frames as upright RGB, longer side at most 640 px.",
            0,
            (
                VIDEO,
                Tensor("PLANNED_INDICES", "INT32", (-1,), "as of media_probe"),
                Tensor("PLANNED_TIMES", "FP32", (-1,), "as of media_probe"),
            ),
            (FRAMES, FRAME_TIMES, VIDEO_STATUS),
        ),
        Step(
            "face_detector",
            "Faces of each frame: RetinaFace with its preprocessing, box decoding and non-maximum suppression in one "
            "graph.",
            128,
            (_row(FRAMES),),
            (
                Tensor("BOXES", "FP32", (MAX_FACES_PER_FRAME, 4), "in pixels of the frame, best first, 0-padded"),
                Tensor("SCORES", "FP32", (MAX_FACES_PER_FRAME,), "probability of a face; 0: padding"),
                Tensor(
                    "LANDMARKS", "FP32", (MAX_FACES_PER_FRAME, 5, 2), "x, y of eyes, nose tip, mouth corners, in pixels"
                ),
            ),
        ),
        Step(
            "face_crop",
            "The faces of all frames: joined to tracks, cut out and aligned by their five landmarks.",
            0,
            (
                CLIP,
                FRAMES,
                FRAME_TIMES,
                Tensor("BOXES", "FP32", (-1, MAX_FACES_PER_FRAME, 4), "[n, 32, 4] as of face_detector"),
                Tensor("SCORES", "FP32", (-1, MAX_FACES_PER_FRAME), "[n, 32] as of face_detector"),
                Tensor("LANDMARKS", "FP32", (-1, MAX_FACES_PER_FRAME, 5, 2), "[n, 32, 5, 2] as of face_detector"),
            ),
            (
                Tensor(
                    "FACES", "UINT8", (-1, FACE_PX, FACE_PX, 3), "[m, 112, 112, 3] aligned RGB faces; none: one blank"
                ),
                FACE_TIMES,
                FACE_TRACKS,
                TRACK_POSITIONS,
                FACE_BOXES,
                FACE_SCORES,
                FACE_COUNT,
                FACES_FOUND,
                FACE_STANDS_FOR,
                FACE_MOUTHS,
                FACE_VISIBLE,
                TRACK_LOOKS,
            ),
        ),
        Step(
            "expression",
            "The emotion that each aligned face expresses: LOGITS over the seven emotions, and the network's own "
            "representation. TRACK_POSITIONS (whose face, when) is for models with a temporal layer; others leave it "
            "unused.",
            256,
            (Tensor("FACES", "UINT8", (FACE_PX, FACE_PX, 3), "an aligned RGB face"), _row(TRACK_POSITIONS)),
            (_LOGITS, _EMBEDDING),
        ),
        Step(
            "audio_decode",
            "The sound as 16 kHz mono, and cut into windows for the sound model.",
            0,
            (VIDEO, CLIP),  # CLIP is waited for, not read: nothing is decoded before the limits are checked
            (
                PCM,
                Tensor("SOUND_WINDOWS", "FP32", (-1, -1), "[p, samples] overlapping windows for the sound tagger"),
                SOUND_SPANS,
                AUDIO_STATUS,
                AUDIO_TRACKS,
            ),
        ),
        Step(
            "sound_features",
            "What the sound tagger hears, by DALI: YAMNet's log-mel [96 frames, 64 mels], or Kaldi's filter banks "
            "[1022, 128].",
            128,
            (Tensor("SOUND_WINDOWS", "FP32", (-1,), "16 kHz mono in [-1, 1]"),),
            (_FEATURES,),
        ),
        Step(
            "sound_tagger",
            "Audio tags: features of a window -> the probability of each AudioSet class, independent of each other.",
            128,
            (_FEATURES,),
            (
                Tensor(
                    "TAGS", "FP32", (-1,), "probability of each AudioSet class of the model, independent of each other"
                ),
                _SPEECH_TAGS,
            ),
        ),
        Step(
            "sound_emotion",
            "Sound: audio tags -> logits of the emotions that such sounds express; one matrix, made from descriptions.",
            128,
            (Tensor("TAGS", "FP32", (-1,), "as of sound_tagger"),),
            (_LOGITS,),
        ),
        Step(
            "speech_detector",
            "When somebody speaks, by Silero VAD where the audio tags agree; that speech cut into 30 s chunks for the "
            "recogniser, and into windows for the voice model.",
            0,
            (PCM, SOUND_SPANS, Tensor("SPEECH_TAGS", "FP32", (-1, 2), "[p, 2] as of sound_tagger")),
            (
                SPEECH_SPANS,
                Tensor(
                    "CHUNKS", "FP32", (-1, CHUNK_SAMPLES), "[c, 480000] 16 kHz mono in [-1, 1], cut at pauses, 0-padded"
                ),
                CHUNK_PIECES,
                Tensor(
                    "VOICE_WINDOWS", "FP32", (-1, VOICE_SAMPLES), "[w, 48000] overlapping windows for the voice model"
                ),
                VOICE_SPANS,
            ),
        ),
        Step(
            "voice_features",
            "What the voice model hears of 3 s, by DALI: log-mel [64 mels, 300 frames], or the waveform [1, 48000].",
            64,
            (Tensor("VOICE_WINDOWS", "FP32", (VOICE_SAMPLES,), "16 kHz mono in [-1, 1]"),),
            (_FEATURES,),
        ),
        Step(
            "voice_emotion",
            "Voice: features of 3 s -> logits of the emotion in the intonation. Vacant until a model is exported: "
            "zeros, no weight.",
            64,
            (_FEATURES,),
            (_LOGITS,),
        ),
        Step(
            "whisper_features",
            "DALI's log-mel of 30 s chunks, as Whisper hears them: LOG_MEL [mels, 3000 frames].",
            8,
            (Tensor("CHUNKS", "FP32", (CHUNK_SAMPLES,), "16 kHz mono in [-1, 1]"),),
            (_WHISPER_MEL,),
        ),
        Step(
            "whisper",
            "Speech recognition: Whisper's log-mel of each chunk -> utterances with times, language, no-speech "
            "probability. The chunks of all requests in a batch are decoded together.",
            8,
            (_WHISPER_MEL, _row(CHUNK_PIECES)),
            (
                _row(UTTERANCES),
                _row(UTTERANCE_SPANS),
                _row(UTTERANCE_LOGPROBS),
                _row(LANGUAGES),
                _row(LANGUAGE_PROBS),
                Tensor("NO_SPEECH_PROBS", "FP32", (1,), "Whisper's probability of no speech; NaN: no sound"),
                Tensor("TOKENS", "INT32", (-1,), "the decoded token ids with timestamps, -1-padded"),
            ),
        ),
        Step(
            "text_tokens",
            "The utterances of a clip as token ids for the text model: XLM-RoBERTa's pieces, padded to a multiple of "
            "16.",
            0,
            (UTTERANCES,),
            (
                Tensor(
                    "INPUT_IDS", "INT64", (-1, -1), "[u, length] ids of the utterances in order; none: one blank row"
                ),
                Tensor("ATTENTION_MASK", "INT64", (-1, -1), "[u, length] 1: a token, 0: padding"),
            ),
        ),
        Step(
            "text_emotion",
            "Words: the text's embedding and the logits of its emotion (multilingual-e5-small, its vocabulary in 4 "
            "bits).",
            64,
            (
                Tensor("INPUT_IDS", "INT64", (-1,), "ids of one utterance"),
                Tensor("ATTENTION_MASK", "INT64", (-1,), "1: a token, 0: padding"),
            ),
            (_LOGITS, _EMBEDDING),
        ),
        Step(
            "fusion",
            "All evidence -> the answer: clip, timeline, contributions, status. Additive over the channels that are "
            "there.",
            0,
            (
                CLIP,
                VIDEO_STATUS,
                AUDIO_STATUS,
                FRAME_TIMES,
                FACE_TIMES,
                FACE_TRACKS,
                FACE_BOXES,
                FACE_SCORES,
                FACE_COUNT,
                FACES_FOUND,
                FACE_STANDS_FOR,
                FACE_MOUTHS,
                FACE_VISIBLE,
                Tensor("FACE_LOGITS", "FP32", (-1, 7), "[m, 7] of expression"),
                SOUND_SPANS,
                Tensor("TAGS", "FP32", (-1, -1), "[p, classes] of sound_tagger"),
                Tensor("SOUND_LOGITS", "FP32", (-1, 7), "[p, 7] of sound_emotion"),
                SPEECH_SPANS,
                VOICE_SPANS,
                Tensor("VOICE_LOGITS", "FP32", (-1, 7), "[w, 7] of voice_emotion"),
                UTTERANCES,
                UTTERANCE_SPANS,
                UTTERANCE_LOGPROBS,
                LANGUAGES,
                LANGUAGE_PROBS,
                Tensor("WORDS_LOGITS", "FP32", (-1, 7), "[u, 7] of text_emotion"),
            ),
            (
                Tensor("PROBABILITIES", "FP32", (7,), "the clip's expressed emotion; sums to 1"),
                Tensor("LOGITS", "FP32", (7,), "its logits: the sum of CONTRIBUTIONS over the channels"),
                Tensor("CONTRIBUTIONS", "FP32", (4, 7), "what each channel adds to the logits; 0 where it is not ok"),
                Tensor("CHANNEL_PROBABILITIES", "FP32", (4, 7), "the answer to each channel alone; NaN: it is not ok"),
                Tensor("CHANNEL_WEIGHTS", "FP32", (4,), "share of each in what moves the logits; sums to 1, or all 0"),
                Tensor("CHANNEL_STATUS", "BYTES", (4, len(STATUS_FIELDS)), "of each channel, see STATUS_FIELDS"),
                Tensor("ABSTAINED", "BOOL", (1,), "the evidence is too weak to name an emotion"),
                Tensor("CONFLICT", "BOOL", (1,), "the channels disagree"),
                Tensor("RATIONALE_PARTS", "BYTES", (-1, len(RATIONALE_FIELDS)), "[r, 4] why, strongest first"),
                Tensor("RATIONALE_SPANS", "FP32", (-1, 2), "[r, 2] start and end of what each part names"),
                Tensor("TIMELINE_SPANS", "FP32", (-1, 2), "[t, 2] start and end of each window"),
                Tensor("TIMELINE_PROBABILITIES", "FP32", (-1, 7), "[t, 7] NaN in a window without evidence"),
                Tensor("TIMELINE_CHANNELS", "FP32", (-1, 4, 7), "[t, 4, 7] each channel alone; NaN without evidence"),
                Tensor("TRACK_SPANS", "FP32", (-1, 2), "[j, 2] when each person is first and last seen, by track"),
                Tensor("TRACK_SPEECH", "FP32", (-1,), "[j] seconds of speech during which the person is seen"),
                Tensor("TRACK_PROBABILITIES", "FP32", (-1, 7), "[j, 7] of the person's face alone; NaN: unusable"),
                Tensor("TRACK_TIMELINES", "FP32", (-1, -1, 7), "[j, t, 7] the same in each window; NaN: not seen"),
                Tensor("MAIN_TRACK", "INT32", (1,), "the person that the answer is about; -1: nobody is seen"),
                Tensor("MAIN_TRACK_REASON", "BYTES", (1,), "why: one of TRACK_REASONS"),
                Tensor("FACE_PROBABILITIES", "FP32", (-1, 7), "[m, 7] of each face; m = 0 without faces"),
                Tensor("FACE_TIMES", "FP32", (-1,), "[m]"),
                Tensor("FACE_TRACKS", "INT32", (-1,), "[m]"),
                Tensor("FACE_BOXES", "FP32", (-1, 4), "[m, 4] in pixels of the upright source frame"),
                Tensor("FACE_SCORES", "FP32", (-1,), "[m]"),
                Tensor("TEXTS", "BYTES", (-1,), "[u] text of each utterance; u = 0 without speech"),
                Tensor("TEXT_SPANS", "FP32", (-1, 2), "[u, 2] its start and end"),
                Tensor("TEXT_LANGUAGES", "BYTES", (-1,), "[u] ISO 639-1 code of the language that it was spoken in"),
                Tensor(
                    "TEXT_LANGUAGE_CONFIDENCES", "FP32", (-1,), "[u] probability of that language, of the speech around"
                ),
                Tensor("TEXT_PROBABILITIES", "FP32", (-1, 7), "[u, 7] emotion of its words alone"),
                Tensor("TEXT_EXPRESSED", "FP32", (-1, 7), "[u, 7] of all channels meanwhile; NaN without evidence"),
                Tensor("TEXT_CONFIDENCES", "FP32", (-1,), "[u] mean probability of a token, geometric"),
                Tensor("LANGUAGE", "BYTES", (1,), "ISO 639-1 code of most of the speech; empty: no speech"),
                Tensor("TAG_NAMES", "BYTES", (-1,), "[k] AudioSet names in English, strongest first"),
                Tensor("TAG_SCORES", "FP32", (-1,), "[k] their probabilities"),
                Tensor(
                    "TIMELINE_TAGS", "FP32", (-1, -1), "[t, k] the same in each window; NaN: no sound is heard then"
                ),
                Tensor(
                    "RELIABILITY",
                    "FP32",
                    (len(RELIABILITY_FIELDS),),
                    "how often answers as sure as this were right, see RELIABILITY_FIELDS; NaN: not measured",
                ),
                Tensor("RELIABILITY_ON", "BYTES", (1,), "what that was measured on; empty: not measured"),
                Tensor("MODELS", "BYTES", (-1, len(MODEL_FIELDS)), "the models that answered, see MODEL_FIELDS"),
                Tensor("VERSION", "BYTES", (1,), "of Triptych on the server"),
                EVIDENCE,
            ),
        ),
    )
}
"""Every step by name, in the order of the graph."""

EMBEDDINGS = (
    Tensor("FACE_EMBEDDINGS", "FP32", (-1, -1), "[m, d] of expression; a blank row stands for no face"),
    Tensor("WORDS_EMBEDDINGS", "FP32", (-1, -1), "[u, d] of text_emotion; a blank row stands for no speech"),
    EVIDENCE,
)
"""Outputs of the ensemble that are sent on request only."""

LOOKS = (TRACK_LOOKS,)
"""Outputs of the ensemble that are sent only to who stitches the windows of a film."""

ANSWER = (CLIP, AUDIO_TRACKS, *(tensor for tensor in STEPS["fusion"].outputs if tensor not in EMBEDDINGS))
"""Outputs of the ensemble that every client asks for."""
