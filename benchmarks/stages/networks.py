"""The networks that are measured: of the default graph, of its alternatives, and published forms of the catalogue.

Weights of this project are read from weights/. Published ones are random, drawn by transformers in the published size:
how long a product of matrices takes does not depend on what is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor, nn
from transformers import (
    ASTConfig,
    ASTForAudioClassification,
    Swinv2Config,
    Swinv2ForImageClassification,
    Wav2Vec2Config,
    Wav2Vec2ForSequenceClassification,
)

from benchmarks.stages import hearing, seeing, words
from benchmarks.stages.plan import Plan
from benchmarks.stages.random_models import made
from networks.face import cnn_time, published_swin, swin
from networks.sound import ast
from networks.voice import spectrogram_cnn, wav2vec2
from triptych.paths import OWN_WEIGHTS
from triptych.sound.mel import FBANK_FRAMES, FBANK_N_MELS, VOICE_FRAMES, VOICE_N_MELS
from triptych_client.contract import EMOTIONS, FACE_PX, VOICE_SAMPLES

AUDIOSET = 527
"""Classes of AudioSet."""
RANDOM = "random"
"""Weights of the published configuration that stand in for the published ones."""
Inputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Network:
    """A network to be measured.

    `weights`: a folder of weights/, or `RANDOM`; `unit`: what a row of a batch is; `build` returns the module in
    evaluation mode, `inputs` a batch of so many rows, on the generator's device; `parts`: what is cast to half
    precision, all when empty (`plan.lowered`); `reads`: how often one call reads the weights; `classes`: whether the
    first output has classes, or choices, on its last axis.
    """

    name: str
    step: str
    weights: str
    unit: str
    build: Callable[[Plan], nn.Module]
    inputs: Callable[[int, Generator], Inputs]
    parts: tuple[str, ...]
    batches: tuple[int, ...] = (1, 8, 32)
    reads: Callable[[Plan], int] = lambda plan: 1
    classes: bool = True


def faces(batch: int, generator: Generator) -> Inputs:
    """Return aligned faces u8 [m, 112, 112, 3]: noise with the shades of a picture."""
    return (seeing.pictures(batch, FACE_PX, FACE_PX, generator),)


def faces_of_tracks(batch: int, generator: Generator) -> Inputs:
    """Return aligned faces, and their places: tracks of eight, half a second apart."""
    rows = torch.arange(batch, device=generator.device)
    return (*faces(batch, generator), torch.stack([rows // 8, rows % 8 * 500], dim=1))


def normal(
    batch: int, generator: Generator, *, shape: tuple[int, ...], scale: float = 1.0, mean: float = 0.0
) -> Inputs:
    """Return normally distributed features f32 [batch, *shape]."""
    return (torch.randn(batch, *shape, generator=generator, device=generator.device) * scale + mean,)


def swin_tiny(plan: Plan) -> nn.Module:
    """Return Swin-V2 tiny with windows of 8 on pictures of 256 px, as microsoft/swinv2-tiny-patch4-window8-256."""
    config = Swinv2Config(
        image_size=256,
        embed_dim=96,
        depths=(2, 2, 6, 2),
        num_heads=(3, 6, 12, 24),
        window_size=8,
        id2label=dict(enumerate(EMOTIONS)),
    )
    image_net = published_swin.Preprocessing(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return published_swin.SwinExpression(made(Swinv2ForImageClassification, config, plan), image_net)


def audio_transformer(plan: Plan) -> nn.Module:
    """Return the base Audio Spectrogram Transformer, as MIT/ast-finetuned-audioset-10-10-0.4593."""
    classes = ["Speech", "Laughter", *(f"tag {tag}" for tag in range(2, AUDIOSET))]
    config = ASTConfig(id2label=dict(enumerate(classes)), num_hidden_layers=plan.depth or 12)
    model = made(ASTForAudioClassification, config, plan)
    return ast.AstTagger(model, ast.Preprocessing(-4.2677393, 4.5689974), classes)


def wav2vec2_base(plan: Plan) -> nn.Module:
    """Return wav2vec 2.0 base with seven classes, as facebook/wav2vec2-base; its weight norm is folded, as served."""
    config = Wav2Vec2Config(num_hidden_layers=plan.depth or 12, id2label=dict(enumerate(EMOTIONS)))
    return wav2vec2.WaveformEmotion(hearing.without_weight_norm(made(Wav2Vec2ForSequenceClassification, config, plan)))


def _whisper(size: str) -> list[Network]:
    def decoder_reads(plan: Plan) -> int:
        return plan.tokens

    published = hearing.SIZES[size]
    encoder = Network(
        f"whisper-{size} encoder",
        "whisper",
        RANDOM,
        "window of 30 s",
        partial(hearing.encoder, size),
        partial(normal, shape=(published["num_mel_bins"], hearing.MEL_FRAMES), scale=0.5),
        (),
        classes=False,
    )
    decoder = Network(
        f"whisper-{size} decoder",
        "whisper",
        RANDOM,
        "window of 30 s, of which a fixed number of tokens is decoded greedily",
        partial(hearing.decoder, size),
        partial(hearing.cross_attention, size),
        (),
        reads=decoder_reads,
    )
    return [encoder, decoder]


SWIN_PARTS = ("model.stem", "model.swin.swinv2", "model.swin.classifier")
VOICE_PARTS = ("model.body", "model.mix", "model.pool", "model.head")
SPECTROGRAM = partial(normal, shape=(VOICE_N_MELS, VOICE_FRAMES), scale=2.0, mean=-6.0)
FBANK = partial(normal, shape=(FBANK_FRAMES, FBANK_N_MELS), scale=4.0, mean=-4.0)
WAVEFORM = partial(normal, shape=(1, VOICE_SAMPLES), scale=0.1)

NETWORKS = (
    Network(
        "retinaface-mobilenet025",
        "face_detector",
        RANDOM,
        f"frame of {seeing.FRAME_W} x {seeing.FRAME_H}; without the suppression of overlapping boxes",
        seeing.retinaface,
        seeing.frames,
        ("network",),
        (1, 8, 32, 40, 128),
    ),
    Network(
        "swinv2",
        "expression",
        "swinv2",
        "face",
        lambda plan: swin.ServedFace.load(OWN_WEIGHTS / "swinv2"),
        faces,
        SWIN_PARTS,
        (1, 8, 32, 64, 256),
    ),
    Network(
        "spectrogram-cnn",
        "voice_emotion",
        "spectrogram-cnn",
        "window of 3 s",
        lambda plan: spectrogram_cnn.ServedVoice.load(OWN_WEIGHTS / "spectrogram-cnn"),
        SPECTROGRAM,
        VOICE_PARTS,
    ),
    Network(
        "xlm-roberta",
        "text_emotion",
        "xlm-roberta: adapters and head; encoder random",
        words.UNIT,
        words.trained_small,
        words.tokens,
        words.PARTS,
    ),
    *_whisper("base"),
    Network(
        "cnn-time",
        "expression",
        "cnn-time",
        "face",
        lambda plan: cnn_time.ServedCnnTime.load(OWN_WEIGHTS / "cnn-time"),
        faces_of_tracks,
        ("model.cnn.stem", "model.cnn.body"),
        (1, 8, 32, 64, 256),
    ),
    Network("e5-comparison", "text_emotion", RANDOM, words.UNIT, words.comparison_small, words.tokens, words.PARTS),
    Network(
        "bert",
        "text_emotion",
        "bert: adapters and head; encoder random",
        words.UNIT,
        words.bert_small,
        words.tokens_of_bert,
        words.PARTS,
    ),
    Network("bilstm", "text_emotion", "bilstm", words.UNIT, words.bilstm, words.tokens, words.LSTM_PARTS),
    Network("swinv2-tiny", "expression", RANDOM, "face", swin_tiny, faces, ("backbone", "classifier")),
    Network("ast", "sound_tagger", RANDOM, "window of 10.24 s", audio_transformer, FBANK, ("model",)),
    Network("wav2vec2-base", "voice_emotion", RANDOM, "window of 3 s", wav2vec2_base, WAVEFORM, ("model",)),
    Network("xlm-roberta-base", "text_emotion", RANDOM, words.UNIT, words.published_base, words.tokens, words.PARTS),
    *_whisper("large-v3-turbo"),
)
"""The default graph's first, then its alternatives of this project, then published forms: a run may end early."""
LEFT_OUT = {
    "yamnet": "an ONNX graph without a torch module; its weights come from the package index",
    "tag-comparison": "one product of [n, 521] with [521, 7], written as ONNX",
    "fer-cnn": "57 thousand weights in a Keras file, which is read by a package that is not everywhere",
}
"""Models of the catalogue that are not measured here, and why."""
