"""`triptych train`: trains a channel on a folder of data."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from triptych.errors import TriptychError


class FaceModel(Enum):
    """Face models, by their names in the catalogue."""

    SWINV2 = "swinv2"
    CNN_TIME = "cnn-time"


class VoiceModel(Enum):
    """Voice models, by their names in the catalogue."""

    WHISPER_STATES = "whisper-states"
    SPECTROGRAM_CNN = "spectrogram-cnn"


class WordsModel(Enum):
    """Words models, by their names in the catalogue."""

    XLM_ROBERTA = "xlm-roberta"
    BERT = "bert"
    BILSTM = "bilstm"


class Training(TyperGroup):
    """The commands; one that lacks a package says how to install it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; TriptychError when a package is missing."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            name = error.name or getattr(error.__cause__, "name", None) or error  # transformers wraps what it misses
            raise TriptychError(f"to train, {name} is missing: pip install 'triptych[training]'") from error


def _writable(out: Path) -> Path:
    """Make the folder, before hours are spent; TriptychError when nothing can be written into it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out) as file:
            file.write(b"room")
    except OSError as error:
        raise TriptychError(
            f"cannot write into {out}: {error.strerror}. Choose another --out, or free space."
        ) from error
    return out


def _init_brings_the_model(init: str | None, model: Enum, default: Enum) -> None:
    """TriptychError when both --init and --model are given."""
    if init and model is not default:
        raise TriptychError(f"--init brings a model of its own: leave out --model {model.value}, or --init")


def _available(device: str) -> str:
    """Pass a device through, before the data is read; TriptychError when it is not there."""
    from training.device import resolve

    resolve(device)
    return device


Data = Annotated[Path, typer.Option("--data", help="Folder with the training data.", exists=True, file_okay=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder for checkpoints, weights and model card.", callback=_writable)]
Init = Annotated[str | None, typer.Option("--init", help="Published weights to start from: hub:NAME or dir:PATH.")]
Device = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where to train; auto: on a GPU if there is one.", callback=_available
    ),
]

app = typer.Typer(
    cls=Training,
    help="Train a channel; a run that was interrupted goes on when called again.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def face(
    data: Data,
    out: Out,
    init: Init = None,
    model: Annotated[
        FaceModel, typer.Option(help="swinv2: single pictures; cnn-time: the track of a face.")
    ] = FaceModel.SWINV2,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Weights of a CNN with time: its CNN teaches Swin-V2, and none is trained.", dir_okay=False),
    ] = None,
    student: Annotated[
        Path | None, typer.Option(help="Weights of Swin-V2 to go on from: only its second phase.", dir_okay=False)
    ] = None,
    device: Device = "auto",
) -> None:
    """Face on FER2013 (fer2013_train_val.npz): Swin-V2, or a CNN with time; both after a CNN teacher."""
    _init_brings_the_model(init, model, FaceModel.SWINV2)
    if (teacher or student) and (init or model is not FaceModel.SWINV2):
        raise TriptychError(
            "--teacher and --student are for Swin-V2 that our CNN teaches: leave --init and --model out"
        )
    if init:
        from training.face import published

        published.fine_tune(data, out, init, published.SETTINGS.on(device))
    elif model is FaceModel.CNN_TIME:
        from training.face import cnn_time

        cnn_time.train_cnn_time(data, out, cnn_time.SCHEDULE.on(device))
    else:
        from training.face import swin

        swin.train_face(data, out, swin.Pretrained(teacher, student), swin.SCHEDULE.on(device))


@app.command()
def voice(
    data: Data,
    out: Out,
    init: Init = None,
    model: Annotated[
        VoiceModel, typer.Option(help="whisper-states: a head on Whisper's encoder; spectrogram-cnn: light.")
    ] = VoiceModel.WHISPER_STATES,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(help='With whisper-states: a speaker whom it is not to hear, such as "ravdess 05".'),
    ] = None,
    device: Device = "auto",
) -> None:
    """Voice (speech/), speakers apart: states of Whisper's encoder, a spectrogram CNN, or a published wav2vec 2.0."""
    _init_brings_the_model(init, model, VoiceModel.WHISPER_STATES)
    if init:
        from training.voice import wav2vec2

        wav2vec2.fine_tune(data, out, init, wav2vec2.SETTINGS.on(device))
    elif model is VoiceModel.SPECTROGRAM_CNN:
        from training.voice import spectrogram_cnn

        spectrogram_cnn.train_voice(data, out, spectrogram_cnn.SETTINGS.on(device))
    else:
        from training.voice import train_states

        train_states.train_whisper_states(data, out, hold_out or ())


@app.command()
def sound(data: Data, out: Out) -> None:
    """Sound: the constants of the tag comparison, chosen on labelled sounds (audio_tags/)."""
    from training.sound.sound import train_sound

    train_sound(data, out)


@app.command()
def words(
    data: Data,
    out: Out,
    init: Init = None,
    model: Annotated[
        WordsModel, typer.Option(help="xlm-roberta: English and Russian; bert: English; bilstm: both, light.")
    ] = WordsModel.XLM_ROBERTA,
    spoken: Annotated[
        bool, typer.Option("--spoken", help="With xlm-roberta: also on dialogues and subtitles, what people say.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Words on GoEmotions, CEDR and Russian GoEmotions (text/): adapters in an encoder and a head, or a BiLSTM."""
    _init_brings_the_model(init, model, WordsModel.XLM_ROBERTA)
    if spoken and model is not WordsModel.XLM_ROBERTA:
        raise TriptychError(f"--spoken is for xlm-roberta: leave out --model {model.value}, or --spoken")
    if model is WordsModel.BERT:
        from training.words import bert

        bert.train_words_bert(data, out, bert.SETTINGS.on(device))
    elif model is WordsModel.BILSTM:
        from training.words import bilstm

        bilstm.train_words_bilstm(data, out, bilstm.SETTINGS.on(device))
    else:
        from training.words import adapters

        if spoken:
            adapters.train_spoken(data, out, init, adapters.SPOKEN_SETTINGS.on(device))
        else:
            adapters.train_words(data, out, init, adapters.SETTINGS.on(device))


@app.command()
def fusion(
    out: Out,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with the data of all channels.", exists=True, file_okay=False)
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option("--clips", help="Instead: folder of clips with labels.csv.", exists=True, file_okay=False),
    ] = None,
    voice_run: Annotated[
        Path | None,
        typer.Option("--voice-run", help="The --out of `triptych train voice`, for its held-out models.", exists=True),
    ] = None,
    assume_unheard: Annotated[
        bool,
        typer.Option(
            "--assume-unheard", help="Take a voice model that does not say whose voices it knows to know none of these."
        ),
    ] = False,
    real: Annotated[
        Path | None,
        typer.Option(
            "--real", help="evaluation.json of labelled real clips: how often channels disagree.", dir_okay=False
        ),
    ] = None,
    calibrate: Annotated[
        str | None, typer.Option("--calibrate", help="Calibrate this channel only, and measure anew.")
    ] = None,
) -> None:
    """Fusion: calibration of the exported channels, and the regression over them."""
    from training.fusion.fit_all import VoiceCheck, calibrate_channel, train_fusion, train_on_clips

    check = VoiceCheck(voice_run, assume_unheard)
    if clips and not data:
        train_on_clips(clips, out)
    elif data and calibrate and not clips:
        calibrate_channel(data, out, calibrate, check)
    elif data and not clips:
        train_fusion(data, out, check, real=real)
    else:
        raise TriptychError("give either --data DIR, or --clips DIR with clips that have all channels")
