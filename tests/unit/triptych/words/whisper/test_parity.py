"""The exported Whisper against transformers: the graphs number by number, decoding token by token.

What is compared with: `WhisperForConditionalGeneration.generate`, greedy, with timestamps, on the same log-mels. For
the short recordings it is one pass over the window, which is all that both do there; for speech that the window's end
cuts off it is the whole of `generate`, which goes on at the last pair of timestamps as the served model does.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor
from transformers.utils import logging

from networks.whisper import published
from samples.whisper_recordings import SPOKEN, cut_off, recordings
from triptych.commands.demo_speech import synthesise
from triptych.errors import RequestError
from triptych.words.whisper.decoding import DecodingOptions
from triptych.words.whisper.model import WINDOW_S, DecoderState, Device, Running
from triptych.words.whisper.passes import is_silent
from triptych.words.whisper.recogniser import Recogniser
from triptych.words.whisper.transcripts import UNHEARD, WindowTranscript

NAMES = [*SPOKEN, "silence", "noise"]
BATCH = 8


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The decoder's products are small: on a busy machine PyTorch's threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(weights):
    logging.set_verbosity_error()
    return published.read(weights("whisper-base")).model


@pytest.fixture(scope="module")
def recogniser(repository):
    return Recogniser(repository / "whisper" / "1", Running(threads=2))


@pytest.fixture(scope="module")
def log_mels():
    """The log-mel of each recording, [80, 3000] by name."""
    pcm = recordings()
    return dict(zip(pcm, extract(list(pcm.values())), strict=True))


@pytest.fixture(scope="module")
def encoded(model, log_mels):
    """What transformers' encoder makes of all recordings."""
    with torch.inference_mode():
        return model.model.encoder(torch.from_numpy(np.stack(list(log_mels.values()))))


@pytest.fixture(scope="module")
def languages(model, encoded):
    """The language of each recording as transformers tells it, "<|en|>" by name."""
    names = {token: language for language, token in model.generation_config.lang_to_id.items()}
    return dict(zip(NAMES, [names[int(i)] for i in model.detect_language(encoder_outputs=encoded)], strict=True))


@pytest.fixture(scope="module")
def expected(model, encoded, languages):
    """The tokens of each recording as transformers decodes them, after the prompt."""
    sequences = model.generate(
        encoder_outputs=encoded,
        return_timestamps=True,
        task="transcribe",
        language=list(languages.values()),
        force_unique_generate_call=True,
    )
    return {name: spoken(model, sequence) for name, sequence in zip(NAMES, sequences, strict=True)}


@pytest.fixture(scope="module")
def decoded(recogniser, log_mels):
    """The recordings as the served model decodes them, in batches."""
    mels, found = np.stack(list(log_mels.values())), []
    for batch in (mels[:BATCH], mels[BATCH:]):
        found += recogniser.decode(batch, [DecodingOptions()] * len(batch))
    return dict(zip(NAMES, found, strict=True))


def extract(pcm: list[np.ndarray]) -> np.ndarray:
    return WhisperFeatureExtractor()(pcm, sampling_rate=16_000, return_tensors="np").input_features


def spoken(model, sequence: torch.Tensor) -> list[int]:
    """Text and timestamps of what `generate` returns, which has the prompt, the end and padding around them."""
    rules = model.generation_config
    return [token for token in sequence.tolist() if token < rules.eos_token_id or token > rules.no_timestamps_token_id]


def test_encoder_equals_pytorch(model, recogniser, log_mels, encoded):
    log_mel = log_mels["a greeting"][None]
    attention = model.model.decoder.layers[3].encoder_attn
    with torch.inference_mode():
        hidden = encoded.last_hidden_state[:1]
        key = attention.k_proj(hidden).unflatten(-1, (8, 64)).permute(0, 2, 3, 1)
        value = attention.v_proj(hidden).unflatten(-1, (8, 64)).transpose(1, 2)
    outputs = recogniser.model.encoder.run(["cross_key_3", "cross_value_3"], {"log_mel": log_mel})
    for ours, theirs in zip(outputs, (key, value), strict=True):
        # Six layers of float32 sums of 2048 products, in another order; values reach 8.
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=2e-4)


def test_decoder_equals_pytorch_step_by_step(model, recogniser, log_mels, encoded):
    ids = np.array([[50258, 50259, 50359, 50364, 2425, 11], [50258, 50263, 50358, 50364, 3450, 4572]])
    with torch.inference_mode():
        hidden = encoded.last_hidden_state[[0, 3]]
        logits = model(encoder_outputs=(hidden,), decoder_input_ids=torch.from_numpy(ids)).logits.numpy()
    windows = recogniser.model.encode(np.stack([log_mels[NAMES[0]], log_mels[NAMES[3]]]), WINDOW_S)
    for start, stop in ((0, 1), (1, 3), (3, 4), (4, 5)):
        # Logits reach 36: one part in 10^5.
        np.testing.assert_allclose(windows.step(ids[:, start:stop]), logits[:, stop - 1], atol=4e-4)


def test_the_encoder_hears_the_sound_and_as_much_silence_as_it_is_told(repository, recogniser, log_mels):
    brief = Recogniser(repository / "whisper" / "1", Running(threads=2, silence_s=1.5))
    log_mel = log_mels[NAMES[0]][None]
    changed = log_mel.copy()
    changed[:, :, 450:] = 9.0  # from 4.5 s on
    logits = [
        brief.model.encode(mel, 3.0).step(np.array([[recogniser.rules.start_of_transcript]]))
        for mel in (log_mel, changed)
    ]
    np.testing.assert_array_equal(*logits)
    whole = recogniser.model.encode(changed, 3.0).step(np.array([[recogniser.rules.start_of_transcript]]))
    assert np.abs(whole - logits[0]).max() > 1


def test_windows_that_stay_go_on_as_if_alone(recogniser):
    decoder, rng = recogniser.model.decoder, np.random.default_rng(0)
    shapes = [(4, 8, 64, 1500), (4, 8, 1500, 64)] * 6
    cross = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    ids = np.array([[50258, 11], [50259, 12], [50260, 13], [50261, 14]])
    everyone, some = (DecoderState(decoder, [array.copy() for array in cross], Device()) for _ in range(2))
    np.testing.assert_array_equal(everyone.step(ids[:, :1]), some.step(ids[:, :1]))
    order = some.keep([1, 3])
    assert sorted(order) == [1, 3]
    np.testing.assert_allclose(some.step(ids[order, 1:]), everyone.step(ids[:, 1:])[order], atol=1e-4)


def test_a_part_of_a_window_is_read_by_its_encoder_frames_alone(model, recogniser, log_mels, encoded):
    parts = recogniser.model.encode(log_mels[NAMES[3]][None], WINDOW_S).parts(0, np.array([0, 50]), 100)
    logits = parts.step(np.full((2, 1), 50258))
    for row, start in zip(logits, (0, 50), strict=True):
        frames = encoded.last_hidden_state[3:4, start : start + 100]
        with torch.inference_mode():
            theirs = model(encoder_outputs=(frames,), decoder_input_ids=torch.tensor([[50258]])).logits[0, 0]
        np.testing.assert_allclose(row, theirs.numpy(), atol=4e-4)


def test_windows_of_a_clip_have_its_language(recogniser):
    """A greeting that is like in many languages takes the language of the sentence before it, of the same clip."""
    sounds = [
        synthesise("Je voudrais un café et un verre d'eau, s'il vous plaît.", "fr", 140),
        synthesise("Ah, non.", "fr", 150),
    ]
    options = [DecodingOptions(clip=1, seconds=len(sound) / 16_000) for sound in sounds]
    assert [found.language for found in recogniser.decode(extract(sounds), options)] == ["fr", "fr"]


@pytest.mark.parametrize("name", NAMES)
def test_decoding_equals_transformers_token_for_token(decoded, expected, languages, name):
    assert f"<|{decoded[name].language}|>" == languages[name]
    assert list(decoded[name].tokens) == expected[name]


def test_translation_equals_transformers(model, recogniser, log_mels):
    log_mel = log_mels["Spanish"][None]
    (translated,) = recogniser.decode(log_mel, [DecodingOptions("translate", "es")])
    theirs = model.generate(torch.from_numpy(log_mel), return_timestamps=True, task="translate", language="es")
    assert list(translated.tokens) == spoken(model, theirs[0])
    assert "coffee" in recogniser.tokenizer.decode(translated.tokens)


def test_speech_beyond_the_last_pair_equals_transformers(model, recogniser):
    log_mel = extract([cut_off()])
    (found,) = recogniser.transcribe(log_mel, np.array([[[0, 30]]]), [DecodingOptions(language="en")])
    theirs = model.generate(torch.from_numpy(log_mel), return_timestamps=True, task="transcribe", language="en")
    assert list(found.tokens) == spoken(model, theirs[0])
    assert found.segments[-1].text.startswith("she said that the sea gives")
    assert 24 < found.segments[-1].start_s < found.segments[-1].end_s <= 30


def test_rows_of_a_batch_are_independent(recogniser, log_mels, decoded):
    broken = np.full((80, 3000), np.nan, np.float32)
    mels = np.stack([broken, log_mels["Spanish"], log_mels["a greeting"], log_mels["Spanish"], log_mels["German"]])
    pieces = np.array([[[0, 5]], [[0, 2.8]], [[np.nan, np.nan]], [[30, 32.8]], [[0, 3]]])
    options = [
        DecodingOptions(),
        DecodingOptions(),
        DecodingOptions(),
        DecodingOptions("translate", "es"),
        DecodingOptions(),
    ]
    failed, spanish, soundless, translated, german = recogniser.transcribe(mels, pieces, options)
    assert (failed, soundless) == (UNHEARD, WindowTranscript())
    assert spanish.tokens == decoded["Spanish"].tokens
    assert german.tokens == decoded["German"].tokens
    assert spanish.segments[0].text == "Buenos días, quiero un café con leche."
    assert spanish.language == translated.language == "es"
    assert "coffee" in translated.segments[0].text
    assert translated.segments[0].start_s >= 30


def test_without_sound_nothing_is_computed(recogniser, monkeypatch):
    monkeypatch.setattr(recogniser, "decode", None)
    nothing = np.zeros((2, 80, 3000), np.float32)
    assert recogniser.transcribe(nothing, np.full((2, 32, 2), np.nan), [DecodingOptions(), DecodingOptions()]) == [
        WindowTranscript(),
        WindowTranscript(),
    ]


def test_noise_has_no_speech(decoded):
    assert is_silent(decoded["noise"])


def test_options_are_read_from_parameters(recogniser):
    assert recogniser.options({}) == DecodingOptions("transcribe", None)
    assert recogniser.options({"task": "translate", "language": "ru", "other": 1}) == DecodingOptions("translate", "ru")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"task": "sing"}, "transcribe or translate"), ({"language": "elvish"}, "en, zh, de"), ({"task": 5}, "is 5")],
)
def test_an_unknown_option_is_refused(recogniser, parameters, message):
    with pytest.raises(RequestError, match=message):
        recogniser.options(parameters)
