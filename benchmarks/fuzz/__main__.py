"""Does any file, however damaged or hostile, bring down what decodes it, or take more time or memory than it may?

python -m benchmarks.fuzz [--data DIR] [--inputs 10000] [--bare] [--keep DIR] [--again SEED/KIND/NUMBER]

Inputs are read as the steps read them; with --bare by the media code alone, to see what the decoders keep away.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated

import typer
from rich.progress import track

from benchmarks.fuzz import bare
from benchmarks.fuzz.cases import Case, Corpus, bombs
from benchmarks.fuzz.outcome import ENDED, KINDS, Outcome
from benchmarks.fuzz.seeds import Seed, contents, made, of_folder
from benchmarks.fuzz.steps import Steps
from benchmarks.measure import publish, table

WORST = 8
"""So many of the slowest and of the largest are named."""

Result = tuple[Case, Outcome]


def main(
    data: Annotated[Path | None, typer.Option(help="A folder of media files; else small ones are made.")] = None,
    inputs: Annotated[int, typer.Option(min=0, help="How many mutated files, besides the bombs.")] = 10_000,
    alone: Annotated[bool, typer.Option("--bare", help="Without the decoders around the code.")] = False,
    workers: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
    keep: Annotated[Path | None, typer.Option(help="A folder to write the inputs into that are findings.")] = None,
    again: Annotated[str, typer.Option(help="Only the input of this name.")] = "",
) -> None:
    """Try them, and write down the outcomes."""
    corpus = Corpus.of([*made(), *(of_folder(data) if data else [])])
    cases = [Case.named(again)] if again else [*bombs(), *corpus.mutated(inputs)]
    examined = run_bare(corpus, cases, workers) if alone else run(corpus, cases, workers)
    results = list(track(examined, "Trying", len(cases)))
    findings = [(case, outcome) for case, outcome in results if outcome.is_finding]
    if keep:
        for case, _ in results if again else findings:
            _write(keep, case, corpus.data(case))
    if again:
        print(results[0][1])
    else:
        options = f"{' --data DIR' if data else ''} --inputs {inputs}{' --bare' if alone else ''}"
        page = _report(list(corpus.seeds.values()), results, findings)
        publish("fuzz_bare" if alone else "fuzz", f"python -m benchmarks.fuzz{options}", page)
    raise typer.Exit(1 if findings else 0)


def run(corpus: Corpus, cases: Sequence[Case], workers: int) -> Iterator[Result]:
    """Yield each input with its outcome as the steps read it, in order, so many at a time."""
    free: SimpleQueue[Steps] = SimpleQueue()

    def examine(case: Case) -> Outcome:
        steps = free.get()
        try:
            return steps.examine(corpus.data(case))
        finally:
            free.put(steps)

    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            free.put(stack.enter_context(Steps()))
        yield from zip(cases, pool.map(examine, cases))


def run_bare(corpus: Corpus, cases: Sequence[Case], workers: int) -> Iterator[Result]:
    """Yield each input with its outcome in the code alone, in order, so many at a time."""
    with ThreadPoolExecutor(workers) as pool:
        yield from zip(cases, pool.map(lambda case: bare.examine(corpus.data(case)), cases))


def _report(seeds: Sequence[Seed], results: Sequence[Result], findings: Sequence[Result]) -> str:
    named = {seed.name: contents(seed.data) for seed in seeds}
    containers = {name: container.split(",")[0] for name, (container, _) in named.items()}
    codecs = sorted({codec for _, found in named.values() for codec in found})
    parts = [
        f"{len(results)} inputs of {len(seeds)} seeds. A finding is an input on which the process that reads it dies, "
        "raises what is not an error of ours, or takes more time or memory than it may; a decoder that ends, and is "
        f"said to have ended, is none. **{len(findings)} findings.**",
        _counts("kind of input", results, lambda case: case.kind),
        _counts("container", results, lambda case: containers.get(case.seed, "bomb")),
        f"Codecs of the seeds: {', '.join(codecs)}.",
        _listed("Findings", findings),
        _listed("Decoders that ended, and were said to have ended", [one for one in results if one[1].kind == ENDED]),
        "The slowest:\n\n" + _named(sorted(results, key=lambda result: -result[1].seconds)[:WORST]),
        "The largest:\n\n" + _named(sorted(results, key=lambda result: -_known(result[1].peak_mib))[:WORST]),
    ]
    return "\n\n".join(part for part in parts if part)


def _counts(header: str, results: Sequence[Result], group: Callable[[Case], str]) -> str:
    counts = Counter((group(case), outcome.kind) for case, outcome in results)
    groups = sorted({name for name, _ in counts})
    rows = [(name, *(counts[name, kind] for kind in KINDS)) for name in groups]
    return table((header, *KINDS), [*rows, ("all", *(sum(row[i + 1] for row in rows) for i in range(len(KINDS))))])


def _listed(title: str, results: Sequence[Result]) -> str:
    return f"{title}:\n\n{_named(results)}" if results else ""


def _named(results: Sequence[Result]) -> str:
    rows = [
        (
            f"`{case.name}`",
            outcome.kind,
            outcome.stage,
            f"{outcome.seconds:.1f}",
            f"{outcome.peak_mib:.0f}",
            _cell(outcome),
        )
        for case, outcome in results
    ]
    return table(("input", "outcome", "at", "s", "MiB", "words"), rows)


def _cell(outcome: Outcome) -> str:
    words = outcome.words.replace("|", "/").replace("\n", " ")
    return words if len(words) <= 100 else f"{words[:97]}..."


def _known(peak_mib: float) -> float:
    return peak_mib if peak_mib == peak_mib else 0.0


def _write(folder: Path, case: Case, data: bytes) -> None:
    file = folder / case.name.replace("/", "__")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


if __name__ == "__main__":
    typer.run(main)
