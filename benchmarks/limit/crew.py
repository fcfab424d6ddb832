"""Processes that run the same step at the same time, as many as the cores have room for: what a full machine does."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from statistics import fmean

import numpy as np

from benchmarks.in_process import THREADED, Arrays, InProcess
from benchmarks.limit.costs import Cost
from triptych.resources import cores
from triptych_client.contract import STEPS

CLIPS = (1, 2, 4)
"""So many clips' rows are computed together, where a step takes rows of several."""
PATIENCE_S = 600.0
"""A process that failed is not waited for longer."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def ways(most: int) -> list[int]:
    """Return the numbers of threads that are tried on so many cores: powers of two, and one a core."""
    return sorted({*(1 << power for power in range(most.bit_length())), most})


def together(question: Arrays, clips: int) -> dict[str, np.ndarray]:
    """Return the rows of so many clips as one question."""
    return {name: np.concatenate([array] * clips) for name, array in question.items()}


def measure(clip: bytes, repeats: int) -> Iterator[Cost]:
    """Measure every step in every way: threads, and clips together that are no more rows than it takes."""
    for threads in ways(cores()):
        with _crew(threads, clip) as crew:
            for step in STEPS.values():
                if threads > 1 and step.name not in THREADED:
                    continue
                for clips in CLIPS if step.max_batch_size else CLIPS[:1]:
                    yield from crew.cost(step.name, clips, repeats)


@dataclass(frozen=True)
class _Crew:
    threads: int
    at_once: int
    pool: ProcessPoolExecutor

    def cost(self, step: str, clips: int, repeats: int) -> Iterator[Cost]:
        """Yield what a step costs in one way; nothing when it takes no so many rows.

        Each process does it once for nothing, and then `repeats` times, of which the least is taken.
        """
        found = self.pool.map(_least, [(step, clips, repeats)] * self.at_once)
        least = [seconds for seconds in found if seconds is not None]
        if least:
            yield Cost(step, self.threads, clips, self.at_once, fmean(least))


@contextmanager
def _crew(threads: int, clip: bytes) -> Iterator[_Crew]:
    """Give the processes that fill the cores with so many threads each."""
    at_once = max(1, cores() // threads)
    spawning = multiprocessing.get_context("spawn")
    before = dict(os.environ)
    os.environ.update(ONE_THREAD)  # of numpy, beside the threads that a step is told to use
    try:
        with ProcessPoolExecutor(at_once, spawning, _load, (threads, clip, spawning.Barrier(at_once))) as pool:
            yield _Crew(threads, at_once, pool)
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class _Loaded:
    graph: InProcess
    questions: Mapping[str, Arrays]
    barrier: Barrier


_loaded: list[_Loaded] = []
"""What this process has loaded, if it is one of a crew."""


def _load(threads: int, clip: bytes, barrier: Barrier) -> None:
    graph = InProcess(threads)
    _loaded.append(_Loaded(graph, graph.questions(clip), barrier))


def _least(task: tuple[str, int, int]) -> float | None:
    """Return the least seconds of a step's runs, begun with the others; None for more rows than it takes."""
    step, clips, repeats = task
    (here,) = _loaded
    question = together(here.questions[step], clips)
    most = STEPS[step].max_batch_size
    fits = not most or len(next(iter(question.values()))) <= most
    here.barrier.wait(PATIENCE_S)  # each process takes one of the tasks, since it waits for the others here
    if not fits:
        return None
    here.graph.run(step, question)
    return min(_seconds(here.graph, step, question) for _ in range(repeats))


def _seconds(graph: InProcess, step: str, question: Arrays) -> float:
    start = time.perf_counter()
    graph.run(step, question)
    return time.perf_counter() - start
