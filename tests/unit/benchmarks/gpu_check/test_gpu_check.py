"""The GPU check without a server: what counts as the same answer, what is said of a host, and that the rest goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.gpu_check import __main__ as gpu_check
from benchmarks.gpu_check import answers, host, page, serving, steps
from benchmarks.gpu_check.card import Watch
from benchmarks.gpu_check.plan import PLANS, Clock
from benchmarks.gpu_check.results import Answer, Card, Latency, Load, Report
from benchmarks.load import OK, Reply
from triptych import providers

ANSWER = Answer("clip", "sadness", "sadness", 0.004, "sadness, face", same_text=True, same_channels=True)
MACHINE = {"GPU": "NVIDIA H100 80GB HBM3"}


def report(**fields: object) -> Report:
    return Report("command", "cuda", MACHINE, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "agrees"),
    [
        ({}, True),
        ({"difference": answers.TOLERANCE}, True),
        ({"difference": 0.021}, False),
        ({"same_text": False}, False),
        ({"same_channels": False}, False),
    ],
)
def test_what_counts_as_the_same_answer(changes: dict[str, object], agrees: bool):
    assert answers.agrees(replace(ANSWER, **changes)) == agrees  # type: ignore[arg-type]


def test_the_page_says_the_worst_first_and_what_is_missing():
    other = replace(ANSWER, clip="bad", difference=0.3, label="fear", same_text=False)
    text = page.write(report(answers=[ANSWER, other], missing=["no PyTorch here"]))
    assert "**1 of 2 answers differ**; largest difference 0.3000" in text
    assert text.index("| bad") < text.index("| clip ", text.index("| bad"))
    assert "sadness, here fear" in text
    assert "- no PyTorch here" in text
    assert page.REHEARSAL not in text
    assert page.REHEARSAL in page.write(replace(report(), device="cpu"))


def test_a_load_and_steps_are_shown_with_the_card():
    load = Load(8, 10.0, 40, 1, 0, 1.5, 2.5, Card(20_000, 500, 0.63))
    text = page.write(
        report(loads=[load], latencies=[Latency("whisper", 8, 0.25, 0.2, 3), Latency("face", 1, 0.1, 0.1, 3)])
    )
    assert "| 4.00" in text
    assert "20000 (500 before)" in text
    assert "63 %" in text
    assert "250.0 (200.0)" in text


def test_a_load_is_summed_up_from_its_replies():
    replies = [
        Reply(0.0, 1.0, OK),
        Reply(0.5, 2.5, OK),
        Reply(1.0, 1.1, "RESOURCE_EXHAUSTED"),
        Reply(2.0, 4.0, "INTERNAL"),
    ]
    load = serving.summary(3, replies, Watch())
    assert (load.answered, load.refused, load.failed, load.seconds) == (2, 1, 1, 4.0)
    assert load.clips_a_second == 0.5
    assert (load.median_s, load.p95_s) == (1.5, 2.0)


def test_rows_are_repeated_to_a_batch():
    rows = steps.repeated(np.arange(6).reshape(3, 2), 7)
    assert rows[:, 0].tolist() == [0, 2, 4, 0, 2, 4, 0]


def test_a_clip_is_cut_into_its_pictures_and_its_sound(demo_clip: Path):
    whole, short, pictures, sound = (len(clip.data) for clip in answers.clips(demo_clip, None))
    assert short < whole
    assert sound < pictures < whole


def test_where_a_network_runs_is_read_from_triton_s_log(tmp_path: Path):
    line = f"INFO whisper: {providers.RUNS_BY % providers.CUDA}\nI1126 other line\n"
    (tmp_path / "triptych-abcdefgh.log").write_text(line, encoding="utf-8")
    assert serving.Served("", tmp_path).runs_by() == {"whisper": providers.CUDA}


def test_without_a_build_for_cuda_one_line_says_so_and_what_to_install(tmp_path: Path):
    assert "built without CUDA: pip install onnxruntime-gpu" in host.why_no_cuda(tmp_path)


def test_cuda_that_does_not_load_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: [providers.CUDA, providers.CPU])
    words = host.why_no_cuda(tmp_path)
    assert words.startswith("onnxruntime does not load on CUDA")
    assert "\n" not in words


def test_a_host_without_a_gpu_has_no_card():
    with Watch() as watch:
        pass
    assert watch.card is None
    assert host.describe()["GPU"]


def test_a_part_that_fails_is_one_line_and_the_rest_runs(tmp_path: Path):
    check = gpu_check.Check("cpu", Clock(1), tmp_path, tmp_path, with_stages=False)

    def fail() -> None:
        raise ValueError("two\nlines")

    check.part("serving", fail)
    check.part("next", lambda: check.report.loads.append(Load(1, 1, 1, 0, 0, 1, 1, None)))
    kept = json.loads((tmp_path / "gpu_check_cpu.json").read_text(encoding="utf-8"))
    assert kept["missing"] == ["serving: ValueError: two lines"]
    assert len(kept["loads"]) == 1
    assert "serving: ValueError: two lines" in (tmp_path / "gpu_check_cpu.md").read_text(encoding="utf-8")


def test_without_models_that_is_said_and_nothing_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "why_no_server", lambda: ["models: no models are exported. Run: triptych export"])
    app = typer.Typer()
    app.command()(gpu_check.main)
    ended = CliRunner().invoke(app, ["--device=cpu", f"--out={tmp_path}", f"--repository={tmp_path}"])
    assert ended.exit_code == 2
    assert "missing: models: no models are exported" in ended.output
    assert "No answers were compared" in ended.output


def test_what_there_is_no_time_for_is_said(tmp_path: Path):
    check = gpu_check.Check("cpu", Clock(0), tmp_path, tmp_path, with_stages=False)
    check.load("127.0.0.1:1", b"")
    assert check.report.missing == [f"{callers} callers: the time was up" for callers in PLANS["cpu"].callers]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("2 x NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("no GPU", "no_gpu"),
    ],
)
def test_results_bear_the_card_s_name(name: str, slug: str):
    assert host.slug(name) == slug


def test_the_networks_alone_find_our_packages_and_nothing_of_ours_beside_them():
    with host.own_packages() as environment:
        folder = Path(environment["PYTHONPATH"])
        assert {path.name for path in folder.iterdir()} == {*host.PACKAGES, "benchmarks"}
        assert (folder / "triptych" / "paths.py").is_file()
        assert (folder / "benchmarks" / "stages" / "__main__.py").is_file()
    assert not folder.exists()
