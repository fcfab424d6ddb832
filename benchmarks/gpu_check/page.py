"""The page for people: what was found out, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.gpu_check.answers import TOLERANCE, agrees
from benchmarks.gpu_check.results import Latency, Load, Report
from benchmarks.measure import table

REHEARSAL = (
    "**A rehearsal without a GPU**: everything ran on the CPU, to try what could fail. No figure here says anything "
    "about a GPU."
)


def write(report: Report) -> str:
    """Return the page."""
    parts = [f"# GPU check on {report.machine['GPU']}", f"Made by `{report.command}`."]
    parts += [REHEARSAL] if report.device == "cpu" else []
    parts += [table(("what", ""), list(report.machine.items()))]
    if report.missing:
        parts += ["## Missing here, or not done", "\n".join(f"- {line}" for line in report.missing)]
    for heading, text in (
        ("Answers beside those of the CPU", _answers(report)),
        ("Where each network runs", _runs_by(report)),
        ("Clips a second", _loads(report.loads)),
        ("Each step alone, by rows", _latencies(report.latencies)),
        ("Each network alone, in PyTorch", f"[{report.stages}]({report.stages})" if report.stages else ""),
    ):
        parts += [f"## {heading}", text] if text else []
    return "\n\n".join(parts) + "\n"


def verdict(report: Report) -> str:
    """Return in one sentence whether the answers are those of the CPU."""
    if not report.answers:
        return "No answers were compared."
    wrong = [answer for answer in report.answers if not agrees(answer)]
    largest = max(answer.difference for answer in report.answers)
    if wrong:
        return f"**{len(wrong)} of {len(report.answers)} answers differ**; largest difference {largest:.4f}."
    return (
        f"{len(report.answers)} of {len(report.answers)} answers agree: largest difference of a probability "
        f"{largest:.4f} (allowed: {TOLERANCE}), same words, same channels."
    )


def _answers(report: Report) -> str:
    worst_first = sorted(report.answers, key=lambda answer: (agrees(answer), -answer.difference))
    rows = [
        (
            answer.clip,
            "yes" if agrees(answer) else "**no**",
            f"{answer.difference:.4f}",
            answer.where,
            answer.label if answer.label == answer.label_on_cpu else f"{answer.label_on_cpu}, here {answer.label}",
            "same" if answer.same_text else "**other**",
        )
        for answer in worst_first
    ]
    header = ("clip", "agrees", "largest difference", "of", "label", "words")
    return f"{verdict(report)}\n\n{table(header, rows)}" if rows else ""


def _runs_by(report: Report) -> str:
    return table(("step", "by"), sorted(report.runs_by.items())) if report.runs_by else ""


def _loads(loads: Sequence[Load]) -> str:
    rows = [
        (
            load.callers,
            f"{load.clips_a_second:.2f}",
            f"{load.median_s:.2f}",
            f"{load.p95_s:.2f}",
            f"{load.answered} / {load.refused} / {load.failed}",
            f"{load.card.memory_mib:.0f} ({load.card.memory_before_mib:.0f} before)" if load.card else "-",
            f"{100 * load.card.utilisation:.0f} %" if load.card else "-",
        )
        for load in loads
    ]
    header = ("callers", "clips a second", "median s", "p95 s", "answered / refused / failed", "GPU MiB", "GPU busy")
    return table(header, rows) if rows else ""


def _latencies(latencies: Sequence[Latency]) -> str:
    batches = sorted({one.batch for one in latencies})
    by_cell = {(one.step, one.batch): f"{1000 * one.median_s:.1f} ({1000 * one.least_s:.1f})" for one in latencies}
    steps = dict.fromkeys(one.step for one in latencies)
    rows = [(step, *(by_cell.get((step, batch), "-") for batch in batches)) for step in steps]
    header = ("step", *(f"{batch} rows, ms" for batch in batches))
    note = "Median, in brackets the least, from asking over gRPC to the answer; `-`: more rows than the step takes."
    return f"{note}\n\n{table(header, rows)}" if rows else ""
