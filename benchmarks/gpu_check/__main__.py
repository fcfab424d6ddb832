"""Does a GPU serve the answers of a CPU, how fast is each step on it, and how many clips a second?

python -m benchmarks.gpu_check [--device cuda|cpu] [--minutes 10] [--out DIR] [--clips DIR] [--stages]

Serves the exported models twice with the embedded Triton: as on hosts without a GPU, for the answers, and in the
profile `cuda`. What the host lacks is said in one line each, and the rest still runs; what there is no time for is said
too. Writes gpu_check_<card>.json and .md after each part. With --device cpu the whole script runs on the CPU with small
numbers, to try what could fail. `--stages` also measures each network alone in PyTorch (benchmarks.stages).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gpu_check import answers, host, page, serving, steps
from benchmarks.gpu_check.plan import PLANS, Clock, Plan
from benchmarks.gpu_check.results import Report
from triptych.commands.demo import make_clip
from triptych.errors import TriptychError
from triptych.paths import BUILD, MODEL_REPOSITORY
from triptych.serving.profile import DEFAULT

PROFILE = "cuda"
STAGES_S = 150.0
"""Kept for the networks alone, where they are wanted."""
ANSWER_S = 120.0


def main(
    device: Annotated[str, typer.Option(help="cuda or cpu")] = "cuda",
    minutes: Annotated[float, typer.Option(help="no part is begun later")] = 10.0,
    out: Annotated[Path, typer.Option(help="the folder of the results")] = BUILD / "gpu_check",
    clips: Annotated[Path | None, typer.Option(help="a folder with further clips to be answered")] = None,
    stages: Annotated[bool, typer.Option("--stages", help="also each network alone, in PyTorch")] = False,
    repository: Annotated[Path, typer.Option(help="the model repository")] = MODEL_REPOSITORY,
) -> None:
    """Run every part that this host can, and write what was found out."""
    if device not in PLANS:
        raise typer.BadParameter(f"there is no device {device}: use cuda or cpu")
    check = Check(device, Clock(minutes), out.absolute(), repository, stages)
    check.part("serving", lambda: check.serve(clips))
    if stages:
        check.part("each network alone", check.stages)
    say(page.verdict(check.report))
    say(f"results: {check.stem}.md and .json")
    raise typer.Exit(status(check.report))


def status(report: Report) -> int:
    """Return the exit status: 1 when an answer differs, 2 when none was compared."""
    if not report.answers:
        return 2
    return 0 if all(map(answers.agrees, report.answers)) else 1


def say(line: str) -> None:
    """Print at once: a run that is cut off shows how far it came."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


class Check:
    """One run: its plan, its time, and what is found out."""

    def __init__(self, device: str, clock: Clock, out: Path, repository: Path, with_stages: bool) -> None:
        self.plan: Plan = PLANS[device]
        self.clock, self.repository, self.out = clock, repository, out
        self.serve_until_s = STAGES_S if with_stages else 0.0
        command = f"python -m benchmarks.gpu_check --device {device}"
        self.report = Report(command, device, host.describe())
        self.stem = out / f"gpu_check_{host.slug(self.report.machine['GPU']) if device == 'cuda' else 'cpu'}"
        out.mkdir(parents=True, exist_ok=True)
        self.save()

    def save(self) -> None:
        """Write what is known by now."""
        self.report.save(self.stem.with_suffix(".json"))
        self.stem.with_suffix(".md").write_text(page.write(self.report), encoding="utf-8")

    def lacks(self, line: str) -> None:
        """Say in one line what is missing."""
        self.report.missing.append(" ".join(line.split()))
        say(f"missing: {self.report.missing[-1]}")

    def part(self, name: str, run: Callable[[], None]) -> None:
        """Run a part: what goes wrong with it is one line, and the next one runs all the same."""
        try:
            run()
        except (TriptychError, OSError, subprocess.SubprocessError) as error:
            self.lacks(f"{name}: {str(error).strip() or type(error).__name__}")
        except Exception as error:
            self.lacks(f"{name}: {type(error).__name__}: {error}")
        self.save()

    def there_is_time(self, what: str, keep_s: float = 0.0) -> bool:
        """Tell whether a part may be begun; say so if not."""
        if self.clock.left_s > keep_s:
            return True
        self.lacks(f"{what}: the time was up")
        return False

    def serve(self, folder: Path | None) -> None:
        """Serve on the CPU, then in the profile of the GPU; compare, and measure the second."""
        lacking = host.why_no_server()
        no_cuda = host.why_no_cuda(self.repository)
        for line in (*lacking, *([no_cuda] if no_cuda else [])):
            self.lacks(line)
        if lacking or (no_cuda and self.report.device == "cuda"):
            return
        asked = answers.clips(make_clip(), folder)
        say(f"serving on the CPU, for {len(asked)} answers")
        with serving.serving(self.repository, DEFAULT, 1, self.out) as reference:
            expected = answers.ask(reference.url, asked, ANSWER_S)
        say(f"serving in the profile {PROFILE}")
        with serving.serving(self.repository, PROFILE, max(self.plan.callers), self.out) as served:
            self.report.runs_by = served.runs_by()
            for name, provider in sorted(self.report.runs_by.items()):
                say(f"  {name} runs by {provider}")
            found = answers.ask(served.url, asked, ANSWER_S)
            self.report.answers = [answers.compare(one.name, *pair) for one, *pair in zip(asked, expected, found)]
            say(page.verdict(self.report))
            self.save()
            self.part("clips a second", lambda: self.load(served.url, asked[0].data))
            self.part("steps", lambda: self.steps(served.url, asked[0].data))

    def load(self, url: str, clip: bytes) -> None:
        """Measure clips a second, the fewest callers first."""
        for callers in self.plan.callers:
            if self.there_is_time(f"{callers} callers", self.serve_until_s + self.plan.load_s):
                self.report.loads.append(serving.load(url, clip, callers, self.plan.load_s))
                say(f"  {callers} callers: {self.report.loads[-1].clips_a_second:.2f} clips a second")

    def steps(self, url: str, clip: bytes) -> None:
        """Measure each step alone."""
        if not self.there_is_time("steps alone", self.serve_until_s):
            return
        with steps.connect(url) as client:
            for latency in steps.latencies(client, steps.questions(client, clip), self.plan.batches, self.plan.repeats):
                self.report.latencies.append(latency)
                say(f"  {latency.step}, {latency.batch} rows: {1000 * latency.median_s:.1f} ms")
                if not self.there_is_time("the rest of the steps", self.serve_until_s):
                    break

    def stages(self) -> None:
        """Measure each network alone in PyTorch, by a Python that has it."""
        python = host.python_with_torch()
        if not python:
            self.lacks("PyTorch and transformers are in neither this Python nor the one below it: no network alone")
            return
        if not self.there_is_time("each network alone"):
            return
        say(f"each network alone, by {python}")
        only = [word for name in self.plan.stages for word in ("--only", name)]
        minutes = f"--minutes={max(self.clock.left_s, 1) / 60:.2f}"
        command = [python, "-m", "benchmarks.stages", f"--device={self.report.device}", f"--out={self.out}", minutes]
        with host.own_packages() as environment:
            subprocess.run([*command, *only], env=environment, cwd=self.out, check=True)
        newest = max(self.out.glob("stages_*.md"), key=lambda path: path.stat().st_mtime)
        self.report.stages = newest.name


if __name__ == "__main__":
    typer.run(main)
