"""Training of the fusion: evidence that goes through means, clips by label, the fit, every subset, and the errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from samples import fusion as samples
from training import metrics
from training.calibration import fit_scaling
from training.fusion import clips as fusion_clips
from training.fusion import fit as fusion_fit
from training.fusion import fit_all, items, pairs, report
from training.fusion.evidence import CONDITIONS, Bank, cached, features, moments
from training.fusion.models import Models
from training.fusion.pairs import LabelledClips
from triptych.answer.evidence import ChannelInput
from triptych.answer.fusion import fuse
from triptych.answer.parameters import FEATURES, Calibration, Parameters
from triptych.answer.status import OK, Status
from triptych.errors import TriptychError
from triptych_client.contract import CHANNELS, EMOTIONS

SKILL = {"face": 2.0, "sound": 0.3, "voice": 1.5, "words": 1.8, "event": 1.0}
ENTRIES = {"face": "fer-cnn", "sound": "tag-comparison", "voice": "wav2vec2", "words": "multilingual-e5-small"}


def bank(channel: str, per_emotion: int = 60, seed: int = 0) -> Bank:
    """Items whose logits favour their emotion as much as the channel's skill, four to a group."""
    random = np.random.default_rng([seed, len(channel)])
    labels = np.tile(np.arange(7), per_emotion)
    signal = SKILL[channel] * np.eye(7)[labels] + random.normal(size=(len(labels), 7))
    found = {}
    for condition, part in zip(CONDITIONS, (1.0, 0.5)):
        found[condition] = np.hstack([2 * part * signal, 2 * part**2 * signal, np.full((len(labels), 1), part)])
    groups = np.array([f"{channel} {row // 28}" for row in range(len(labels))])
    return Bank(channel, found, dict.fromkeys(CONDITIONS, np.ones(len(labels))), labels, groups)


BANKS = {name: bank(name) for name in SKILL}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are not what is tested here."""
    monkeypatch.setattr(metrics, "RESAMPLES", 3)


@pytest.fixture(scope="module")
def fitted() -> tuple[Parameters, dict[str, Calibration], LabelledClips]:
    fit_rows, test_rows = pairs.split(BANKS)
    calibrations = {name: fusion_fit.calibrate(BANKS[name], fit_rows[name]) for name in CHANNELS}
    parameters = fusion_fit.fit(pairs.draw(BANKS, fit_rows, calibrations, 60, seed=1))
    return parameters, calibrations, pairs.draw(BANKS, test_rows, calibrations, 60, seed=2)


def test_calibration_goes_through_the_mean_over_rows():
    random = np.random.default_rng(0)
    calibration = Calibration(random.uniform(0.5, 2, 7), random.normal(size=7))
    logits, weights, sure = random.normal(size=(4, 7)), random.uniform(0.1, 1, 4), random.uniform(0, 1, 4)
    spans = np.array([[0, 1]] * 4)
    plain, calibrated = (
        ChannelInput("face", OK, how).gather(spans, logits, weights, sure, Status("absent"))
        for how in (Calibration(), calibration)
    )
    np.testing.assert_allclose(features(moments(plain)[None], calibration)[0], calibrated.features().sum(axis=0))


def biased(of_everybody: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, logits and groups of ten speakers, with an offset for each class that all have, or each an own one."""
    random = np.random.default_rng(0)
    labels, groups = np.tile(np.arange(7), 40), np.repeat(np.arange(10), 28)
    offsets = 2 * random.normal(size=(10, 7))
    logits = 2 * np.eye(7)[labels] + random.normal(size=(280, 7))
    return labels, logits + (offsets[0] if of_everybody else offsets[groups]), groups


def test_offsets_are_learnt_from_what_everybody_has_only():
    assert np.abs(fit_scaling(*biased(of_everybody=True))[1]).max() > 1
    scale, offset = fit_scaling(*biased(of_everybody=False))
    assert np.ptp(scale) == 0
    assert not offset.any()


def test_nobody_is_on_both_sides_of_the_split():
    fit_rows, test_rows = pairs.split(BANKS)
    for name in BANKS:
        assert min(len(fit_rows[name]), len(test_rows[name])) > 100
        assert not set(BANKS[name].groups[fit_rows[name]]) & set(BANKS[name].groups[test_rows[name]])
    assert fit_rows["sound"] is fit_rows["voice"], "they hear the same recordings"


def test_clips_have_one_emotion_in_all_channels():
    rows = {name: np.arange(len(BANKS[name].labels)) for name in BANKS}
    clips = pairs.draw(BANKS, rows, dict.fromkeys(CHANNELS, Calibration()), 50, seed=0)
    assert np.bincount(clips.labels).tolist() == [50] * 7
    assert clips.x["clean"].shape == (350, 4, FEATURES)
    favoured = clips.x["clean"][:, CHANNELS.index("face"), :7].argmax(axis=1)
    assert (favoured == clips.labels).mean() > 0.6


def test_an_emotion_without_items_is_named():
    short = Bank(
        "words",
        *(getattr(BANKS["words"], name) for name in ("moments", "weights")),
        np.zeros(420, int),
        BANKS["words"].groups,
    )
    rows = {name: np.arange(420) for name in BANKS}
    with pytest.raises(TriptychError, match="the words channel has no item of disgust"):
        pairs.draw({**BANKS, "words": short}, rows, dict.fromkeys(CHANNELS, Calibration()), 5, seed=0)


def test_the_answer_in_training_is_that_of_the_server():
    answered = 0
    for parameters in (samples.trained(), samples.POOL):
        for seed in range(5):
            clip = samples.random_clip(seed)
            x = np.stack(
                [clip[c].features().sum(axis=0) if clip[c].ok else np.full(FEATURES, np.nan) for c in CHANNELS]
            )
            logits = fusion_fit.answers(parameters, x[None], (0, 1, 2, 3))[0]
            fused = fuse(clip, parameters)
            if fused.present.any():
                np.testing.assert_allclose(logits - logits.mean(), fused.logits, atol=1e-9)
                answered += 1
    assert answered >= 8, "most of the ten clips have a channel"


def test_fusion_beats_its_best_channel_and_is_calibrated(fitted):
    parameters, _, clips = fitted
    rows = {row.subset: row for row in report.measure(parameters, clips)}
    assert len(rows) == 15
    trio = rows[0, 2, 3]
    assert trio.scores.macro_f1.value > trio.best_alone + 0.05
    assert trio.scores.ece < 0.12
    assert len(report.bars(list(rows.values()))) == 4


def test_training_sees_every_set_of_channels():
    masks = fusion_fit.dropout(2000, np.random.default_rng(0))
    assert len(np.unique(masks, axis=0)) == 15
    assert masks.any(axis=1).all()


def test_clips_that_lack_a_channel_count_where_they_have_them(fitted):
    parameters, _, whole = fitted
    clips = LabelledClips({name: x.copy() for name, x in whole.x.items()}, whole.labels, whole.groups)
    clips.x["clean"][:10, 0] = np.nan
    rows = {row.subset: row for row in report.measure(parameters, clips)}
    assert rows[0,].scores.samples == len(clips.labels) - 10
    assert rows[2, 3].scores.samples == len(clips.labels)


def test_risk_rises_from_the_surest_answer_to_all():
    coverage, risk = report.risk_coverage(np.array([0.9, 0.5, 0.8]), np.array([False, True, False]))
    assert coverage.tolist() == [1 / 3, 2 / 3, 1]
    assert risk.tolist() == [0, 0, 1 / 3]


def test_evidence_is_computed_once(tmp_path: Path):
    made = []
    for _ in range(2):
        kept = cached(tmp_path / "a" / "face.npz", "face", lambda: made.append(1) or BANKS["face"])
    assert made == [1]
    assert kept.groups.tolist() == BANKS["face"].groups.tolist()
    np.testing.assert_array_equal(kept.logits("noise"), BANKS["face"].logits("noise"))


def test_a_third_of_the_words_is_misheard():
    random = np.random.default_rng(0)
    text = " ".join(map(str, range(3000)))
    said = items.misheard(text, ["other"], random).split()
    assert 0.15 < said.count("other") / 3000 < 0.25
    assert len(set(text.split()) - set(said)) == pytest.approx(600, abs=80)


def test_noise_is_as_loud_as_it_says():
    pcm = np.sin(np.arange(16000) / 20).astype(np.float32)
    noise = items.add_noise(pcm, np.random.default_rng(0)) - pcm
    assert 10 * np.log10(np.mean(pcm**2) / np.mean(noise**2)) == pytest.approx(items.SNR_DB, abs=0.01)


def test_a_still_is_seen_four_ways():
    image = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48).astype(np.uint8)
    assert items.views(image).shape == (items.VIEWS, 48, 48)
    assert len({view.tobytes() for view in items.views(image)}) == items.VIEWS


def repository(folder: Path, **changes: object) -> Path:
    """Write what training reads of a model repository."""
    lines = [
        {"role": role, "name": name, "sha256": "0" * 64, "vacant": False, "source_sha256": ""}
        | (changes if role == "voice" else {})
        for role, name in ENTRIES.items()
    ]
    (folder / "fusion" / "1").mkdir(parents=True)
    (folder / "fusion" / "1" / "models.json").write_text(json.dumps(lines), encoding="utf-8")
    return folder


def test_a_run_writes_what_the_repository_keeps_and_a_swap_changes_one_file(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(items, "collect", lambda *_: BANKS)
    monkeypatch.setattr(fit_all, "FIT_CLIPS", 40)
    monkeypatch.setattr(fit_all, "TEST_CLIPS", 30)
    models, first, second = repository(tmp_path / "models"), tmp_path / "first", tmp_path / "second"
    fit_all.train_fusion(Path(), first, repository=models)
    kept = first / "weights"
    assert {path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()} == {
        *(f"{entry}/calibration.json" for entry in ENTRIES.values()),
        "fusion/fusion.json",
        "fusion/README.md",
        "fusion/risk_coverage.png",
    }
    card = (kept / "fusion" / "README.md").read_text(encoding="utf-8")
    assert "face + sound + voice + words" in card
    assert "channels are independent given the emotion" in card
    assert not Parameters.read(kept / "fusion" / "fusion.json").pooled

    fit_all.calibrate_channel(Path(), second, "face", repository=models, installed=kept)
    assert {path.relative_to(second).as_posix() for path in second.rglob("*") if path.is_file()} == {
        "weights/fer-cnn/calibration.json",
        "weights/fusion/README.md",
        "weights/fusion/risk_coverage.png",
    }


def test_a_channel_to_calibrate_has_to_exist_and_a_regression_too(tmp_path: Path):
    with pytest.raises(TriptychError, match="there is no channel smell: --calibrate takes one of face"):
        fit_all.calibrate_channel(Path(), tmp_path, "smell")
    with pytest.raises(TriptychError, match=r"no .*fusion\.json: run `triptych train fusion` once"):
        fit_all.calibrate_channel(Path(), tmp_path, "face", installed=tmp_path)


def test_a_vacant_channel_and_a_repository_without_models_are_refused(tmp_path: Path):
    vacant = Models(repository(tmp_path / "a", vacant=True))
    with pytest.raises(TriptychError, match=r"the voice channel has no model .*--set voice=NAME"):
        vacant.entry("voice")
    with pytest.raises(TriptychError, match="run `triptych export` first"):
        Models(tmp_path).entry("face")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (None, "there is no labels.csv"),
        ("file,emotion\na.mp4,anger\n", "no column group"),
        ("file,emotion,group\na.mp4,joy,1\n", "row 2: joy is none of anger"),
        ("file,emotion,group\nb.mp4,anger,1\n", r"row 2: there is no .*b\.mp4"),
        ("file,emotion,group\na.mp4,anger,1\n", "no clip of disgust, fear"),
    ],
)
def test_a_folder_of_clips_that_cannot_be_used_says_why(tmp_path: Path, table: str | None, words: str):
    (tmp_path / "a.mp4").write_bytes(b"film")
    if table:
        (tmp_path / "labels.csv").write_text(table, encoding="utf-8")
    with pytest.raises(TriptychError, match=words):
        fusion_clips.read(tmp_path)


def test_a_folder_of_clips_is_read_and_split_by_group(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"film")
    rows = "".join(f"a.mp4,{emotion},{group}\n" for emotion in EMOTIONS for group in "xyz")
    (tmp_path / "labels.csv").write_text("file,emotion,group\n" + rows, encoding="utf-8")
    read = fusion_clips.read(tmp_path)
    labels = np.array([EMOTIONS.index(row["emotion"]) for row in read])
    groups = np.array([[row["group"]] * 4 for row in read])
    fit, test = fusion_clips.split(LabelledClips({"clean": np.zeros((21, 4, FEATURES))}, labels, groups))
    assert not set(fit.groups[:, 0]) & set(test.groups[:, 0])
    assert len(fit.labels) + len(test.labels) == 21
