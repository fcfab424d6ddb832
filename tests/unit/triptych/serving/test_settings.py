"""What steps of our own code are told of the model behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from export import catalog, onnx
from triptych.errors import TriptychError
from triptych.serving import settings


def test_what_is_exported_is_read(tmp_path: Path):
    onnx.export(catalog.load()["yamnet-windows"], [], tmp_path)
    assert settings.read_int(tmp_path, "sound_window_samples") == 15600
    onnx.export(catalog.load()["yamnet-log-mel"], [], tmp_path)
    assert settings.read_text(tmp_path, "features") == "yamnet-log-mel"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"features": 3}', '{"sound_window_samples": "long"}'])
def test_a_folder_without_settings_is_named_with_the_remedy(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / settings.FILE).write_text(content)
    with pytest.raises(TriptychError, match=r"settings.json.*triptych export"):
        settings.read_text(tmp_path, "features")
    with pytest.raises(TriptychError, match=r"settings.json.*triptych export"):
        settings.read_int(tmp_path, "sound_window_samples")


def test_what_a_model_hears_comes_and_goes_with_it():
    steps = ("sound_features", "audio_decode", "sound_emotion", "voice_features")
    swapped = catalog.choose({"tags": "ast", "voice": "wav2vec2"})
    assert [swapped[step].name for step in steps] == [
        "kaldi-fbank",
        "ast-windows",
        "ast-tag-comparison",
        "voice-waveform",
    ]
    kept = {step: entry.name for step, entry in swapped.items()}
    back = catalog.choose({"tags": "yamnet", "voice": "no-voice"}, kept)
    assert [back[step].name for step in steps] == [
        "yamnet-log-mel",
        "yamnet-windows",
        "tag-comparison",
        "voice-whisper-log-mel",
    ]
