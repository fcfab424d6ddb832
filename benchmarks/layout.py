"""How many instances of each step does a host need? The busiest are doubled until that gains nothing.

python -m benchmarks.layout [--profile cuda] [--callers 32] [--seconds 20] [--rounds 4] [--out DIR]

A step whose instances compute in more than BUSY of the time is in the way of the others. Each round serves a copy of
the model repository with other numbers of instances, lets so many callers ask for the demo clip, and reads from
Triton's statistics how busy each step was. The answer of each layout is held against that of the first. Writes
layout_<GPU or cpu>.json and .md after each round.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import tritonclient.grpc as triton
import typer
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from benchmarks.gpu_check import answers, host, serving
from benchmarks.gpu_check.answers import Clip
from benchmarks.gpu_check.results import Answer, Load
from benchmarks.measure import table
from benchmarks.watching import cpu_s, family
from triptych.commands.demo import make_clip
from triptych.files import link_or_copy, write_text
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.profile import OPTION, Profile, read_all
from triptych.serving.service import Service
from triptych_client.contract import STEPS
from triptych_client.results import Analysis

BUSY = 0.5
"""A queue in front of one instance that is busy for half of the time is as long as what is computed (M/M/1)."""
GAIN = 1.05
"""A layout that answers so many times as many clips a second is worth another round."""
NAME = "layout"
"""The config's name in the copy of the repository, beside those of the profiles."""
WARM_S = 5.0
ANSWER_S = 120.0

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Round:
    """One layout under load.

    `busy`: by step, the share of the time in which its instances computed, 1 for all of them all the time; `cores`: how
    many CPU cores the service had at work on average; `answer`: the first clip's, beside that of the first round.
    """

    counts: Counts
    load: Load
    busy: Mapping[str, float]
    cores: float
    answer: Answer | None


def crowded(one: Round) -> list[str]:
    """Return the steps that are in the way, the busiest first."""
    return sorted((step for step, busy in one.busy.items() if busy > BUSY), key=lambda step: -one.busy[step])


def doubled(counts: Counts, steps: list[str]) -> dict[str, int]:
    """Return the numbers of instances with those of some steps doubled."""
    return {step: 2 * count if step in steps else count for step, count in counts.items()}


def read_counts(repository: Path, profile: Profile) -> dict[str, int]:
    """Return by step how many instances a profile of a repository has."""
    return {step: _config(repository, step, profile).instance_group[0].count for step in STEPS}


def lay_out(repository: Path, profile: Profile, counts: Counts, target: Path) -> None:
    """Copy a repository, by links where it can, with the configs NAME: a profile's with other numbers of instances."""
    shutil.copytree(repository, target, copy_function=link_or_copy, symlinks=True)
    for step, count in counts.items():
        config = _config(repository, step, profile)
        config.instance_group[0].count = count
        path = target / step / "configs" / f"{NAME}.pbtxt"
        path.parent.mkdir(exist_ok=True)
        write_text(path, text_format.MessageToString(config))


def busy_seconds(url: str) -> dict[str, float]:
    """Return by step how long its instances have computed so far: each execution once, however many requests it had."""
    with triton.InferenceServerClient(url) as client:
        models = client.get_inference_statistics().model_stats
    return {
        model.name: sum(
            batch.compute_input.ns + batch.compute_infer.ns + batch.compute_output.ns for batch in model.batch_stats
        )
        / 1e9
        for model in models
        if model.name in STEPS
    }


class Search:
    """The rounds on one host."""

    def __init__(self, repository: Path, profile: Profile, callers: int, seconds: float, out: Path) -> None:
        self.repository, self.profile, self.callers, self.seconds = repository, profile, callers, seconds
        self.machine = host.describe()
        self.out, self.rounds = out, list[Round]()
        path = make_clip()
        self.clip = Clip(path.name, path.read_bytes())
        self.first: Analysis | None = None

    def run(self, rounds: int) -> None:
        """Go on while the last layout answered more than the one before, and a step is in the way."""
        counts = read_counts(self.repository, self.profile)
        for _ in range(rounds):
            self.rounds.append(self.measure(counts))
            self.save()
            print(line(self.rounds[-1]), flush=True)
            steps = crowded(self.rounds[-1])
            if not steps or not self.gained():
                break
            counts = doubled(counts, steps)

    def gained(self) -> bool:
        """Tell whether the last round was worth its instances; the first one always is."""
        rates = [one.load.clips_a_second for one in self.rounds]
        return len(rates) < 2 or rates[-1] > GAIN * rates[-2]

    def measure(self, counts: Counts) -> Round:
        """Serve one layout under load."""
        with TemporaryDirectory(prefix=".layout-", dir=self.repository.parent) as folder:
            repository = Path(folder, "model_repository")
            lay_out(self.repository, self.profile, counts, repository)
            bounds = [f"--in-flight={self.callers}", f"--waiting={serving.WAITING}"]
            work = self.out / "served"
            shutil.rmtree(work, ignore_errors=True)
            with Service(repository, work=work, arguments=[f"--option={OPTION}{NAME}", *bounds]) as service:
                return self.under_load(service, counts)

    def under_load(self, service: Service, counts: Counts) -> Round:
        """Ask once for the answer and a while to warm up; then measure."""
        assert service.process
        url, clip = service.grpc_url, self.clip.data
        [answer] = answers.ask(url, [self.clip], ANSWER_S)
        serving.load(url, clip, self.callers, WARM_S)
        pid = service.process.pid
        before, used_s, began = busy_seconds(url), cpu_s(family(pid)), time.monotonic()
        load = serving.load(url, clip, self.callers, self.seconds)
        took = time.monotonic() - began
        after, cores = busy_seconds(url), (cpu_s(family(pid)) - used_s) / took
        compared = answers.compare(self.clip.name, self.first, answer) if self.first else None
        self.first = self.first or answer
        return Round(
            dict(counts),
            load,
            {step: (after[step] - before[step]) / (took * count) for step, count in counts.items()},
            cores,
            compared,
        )

    def save(self) -> None:
        """Write what is known by now."""
        gpu = self.machine["GPU"]
        stem = self.out / f"layout_{host.slug(gpu) if self.rounds[0].load.card else 'cpu'}"
        told = {"machine": self.machine, "profile": self.profile.name, "rounds": [asdict(one) for one in self.rounds]}
        write_text(stem.with_suffix(".json"), json.dumps(told, indent=1) + "\n")
        write_text(stem.with_suffix(".md"), page(self))


def line(one: Round) -> str:
    """Say in one line what a layout came to."""
    busiest = ", ".join(f"{step} {one.busy[step]:.2f}" for step in crowded(one)[:6])
    card = f", GPU {100 * one.load.card.utilisation:.0f} %" if one.load.card else ""
    return (
        f"{one.load.clips_a_second:.2f} clips a second, {one.cores:.1f} cores{card}; in the way: {busiest or 'no step'}"
    )


def page(search: Search) -> str:
    """Return the page for people: the rounds, and how many instances each step had and how busy they were."""
    rounds = search.rounds
    rows = [
        (
            number,
            f"{one.load.clips_a_second:.2f}",
            f"{one.load.median_s:.2f} ({one.load.p95_s:.2f})",
            f"{one.load.answered} / {one.load.refused} / {one.load.failed}",
            f"{one.cores:.1f}",
            f"{100 * one.load.card.utilisation:.0f} %, {one.load.card.memory_mib:.0f} MiB" if one.load.card else "-",
            "-" if not one.answer else "yes" if answers.agrees(one.answer) else "**no**",
        )
        for number, one in enumerate(rounds, 1)
    ]
    header = (
        "round",
        "clips a second",
        "median s (p95)",
        "answered / refused / failed",
        "CPU cores",
        "GPU",
        "same answer",
    )
    steps = [
        (step, *(f"{one.counts[step]}: {one.busy[step]:.2f}" for one in rounds))
        for step in sorted(rounds[0].counts, key=lambda step: -rounds[0].busy[step])
    ]
    command = f"python -m benchmarks.layout --profile {search.profile.name} --callers {search.callers}"
    asked = f"{search.callers} callers ask for the demo clip (20 s), each again as soon as it has its answer."
    parts = (
        "# Instances of each step",
        f"Made by `{command} --seconds {search.seconds:g}`: {asked}",
        table(("what", ""), list(search.machine.items())),
        table(header, rows),
        "Instances, and the share of the time in which they computed:",
        table(("step", *(f"round {number}" for number in range(1, len(rounds) + 1))), steps),
    )
    return "\n\n".join(parts) + "\n"


def _config(repository: Path, step: str, profile: Profile) -> model_config_pb2.ModelConfig:
    text = (repository / profile.path(STEPS[step])).read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def main(
    profile: Annotated[str, typer.Option(help="whose instances to begin with")] = "cuda",
    callers: Annotated[int, typer.Option(help="how many ask at once")] = 32,
    seconds: Annotated[float, typer.Option(help="how long they ask, in each round")] = 20.0,
    rounds: Annotated[int, typer.Option(help="how many layouts at most")] = 4,
    out: Annotated[Path, typer.Option(help="the folder of the results")] = BUILD / "layout",
    repository: Annotated[Path, typer.Option(help="the model repository")] = MODEL_REPOSITORY,
) -> None:
    """Search, and say what was found."""
    profiles = {known.name: known for known in read_all()}
    if profile not in profiles:
        raise typer.BadParameter(f"there is no profile {profile}: there are {', '.join(profiles)}")
    out.mkdir(parents=True, exist_ok=True)
    Search(repository, profiles[profile], callers, seconds, out.absolute()).run(rounds)


if __name__ == "__main__":
    typer.run(main)
