"""Is the served Whisper faster than other programs with the same weights, and does it get as many words right?

python -m benchmarks.peers.speech [--data DIR] [--repeats 5] [--most 10]

faster-whisper (CTranslate2, int8 and float32, beam 1) and openai-whisper, each in a process of its own, in turn.
`--data` is the data folder, whose recordings (asr/manifest.csv) are heard; without it, one that is synthesised.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import jiwer
import typer
from transformers.models.whisper.english_normalizer import BasicTextNormalizer

from benchmarks.evidence import sounds
from benchmarks.measure import RESULTS, table
from benchmarks.peers import environment
from benchmarks.peers.hearing import ENGINES, HELD_AGAINST, OURS, Engine, Heard, Recording, compete
from benchmarks.publishing import Machine, Result, goals
from benchmarks.whisper_speed import TEXT
from benchmarks.whisper_wer import NORMALIZERS
from triptych.commands.demo_speech import synthesise
from triptych.resources import cores
from triptych_client.contract import SAMPLE_RATE_HZ

GOAL = 1.3
LONGEST_S = 30.0


def main(
    data: Annotated[Path | None, typer.Option(help="The data folder: recordings to hear.")] = None,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    most: Annotated[int, typer.Option(min=1, help="So many recordings at most.")] = 10,
    peers_python: Annotated[Path | None, typer.Option(help="An interpreter that has the peers' packages.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Let all hear all recordings in turn; publish times and wrong words."""
    machine, python = Machine.here(), environment.python(peers_python)
    said = recordings(data)[:most]
    with ExitStack() as stack:
        engines = [stack.enter_context(Engine(python, name, cores())) for name in ENGINES]
        heard = compete(engines, said, repeats)
    command = f"python -m benchmarks.peers.speech{' --data DIR' if data else ''} --repeats {repeats} --most {most}"
    facts = {
        "engines": [{"name": one.name, "wrong": wrong(one, said), "seconds": one.seconds} for one in heard],
        "texts": {one.name: one.texts for one in heard},
        "packages": environment.PACKAGES,
    }
    parts = [goals([held(heard, said)]), engines_table(heard, said)]
    Result("peers_speech", "Whisper beside other programs", command, machine, parts, facts).publish(out)


def recordings(data: Path | None) -> list[Recording]:
    """Return recordings of at most 30 s."""
    if not data:
        return [Recording(synthesise(TEXT, "en-us", 150), "en", TEXT)]
    rows = sounds.manifest(data)
    found = [Recording(sounds.decode(data / "asr" / row["file"]), row["lang"], row["transcript"]) for row in rows]
    return [one for one in found if len(one.pcm) <= LONGEST_S * SAMPLE_RATE_HZ]


def held(heard: Sequence[Heard], said: Sequence[Recording]) -> tuple[str, str, str, bool | None]:
    """Return what is held against the goal: the median of the rounds, and no more wrong words."""
    by_name = {one.name: one for one in heard}
    ours, theirs = by_name[OURS], by_name[HELD_AGAINST]
    ratios = times_as_fast(ours, theirs)
    as_right = wrong(ours, said) <= wrong(theirs, said)
    found = (
        f"{min(ratios):.2f} in the worst round, {statistics.median(ratios):.2f} in the median; "
        f"{'no' if as_right else '**more**'} words more are wrong"
    )
    goal = f"at least {GOAL:g} times as fast, as right"
    return f"served Whisper against {HELD_AGAINST}", goal, found, as_right and statistics.median(ratios) >= GOAL


def times_as_fast(one: Heard, other: Heard) -> list[float]:
    """Return how many times as fast an engine is as another, round by round."""
    return [sum(theirs) / sum(ours) for ours, theirs in zip(one.seconds, other.seconds)]


def wrong(heard: Heard, said: Sequence[Recording]) -> float:
    """Return the share of wrong words, after the normalisation of Whisper's paper."""
    normal = [normalizer(recording.language) for recording in said]
    wanted = [normalize(recording.said) for normalize, recording in zip(normal, said)]
    return float(jiwer.wer(wanted, [normalize(text) for normalize, text in zip(normal, heard.texts)]))


def normalizer(language: str) -> Callable[[str], str]:
    """Return what takes case, punctuation and the spelling of numbers away."""
    return NORMALIZERS.get(language, BasicTextNormalizer())


def engines_table(heard: Sequence[Heard], said: Sequence[Recording]) -> str:
    """Return a line for each engine."""
    reference = next(one for one in heard if one.name == HELD_AGAINST)
    sound_s = sum(len(one.pcm) for one in said) / SAMPLE_RATE_HZ
    rows = []
    for one in heard:
        totals, ratios = [sum(seconds) for seconds in one.seconds], times_as_fast(one, reference)
        rows.append(
            (
                one.name,
                f"{min(totals):.2f}, {statistics.median(totals):.2f}",
                f"{sound_s / statistics.median(totals):.1f} s",
                f"{min(ratios):.2f}, {statistics.median(ratios):.2f}",
                f"{100 * wrong(one, said):.1f} %",
            )
        )
    header = ("", "s: least, median", "sound a second", f"{HELD_AGAINST} / it: worst, median", "wrong words")
    return (
        f"{len(said)} recordings, {sound_s:.0f} s, one after another, their language given, greedy, features included, "
        f"{cores()} threads. The weights are the same. Padded to 30 s is what MLPerf's closed division wants, and how "
        "Triptych serves it; on the sound that exists is another claim, and the other programs have no such way.\n\n"
        + table(header, rows)
    )


if __name__ == "__main__":
    typer.run(main)
