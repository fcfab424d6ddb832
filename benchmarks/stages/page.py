"""The Markdown page of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import StringIO

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from benchmarks.stages.results import EAGER, GRAPH, Agreement, Ceilings, Cell, Measured, Report, speed

NOTES = """A call is waited for before the next one begins; times are those of CUDA events around it on a GPU. Each cell
is the median of repeated calls, then the least. *Graph*: the same call captured and replayed as a CUDA graph, where a
call takes less than a quarter of a second; "-": not measured. Rows a second, TFLOP/s and the share are of the faster
mode's median. The share is that of the time that the device would need at best, by the ceilings measured here: all
arithmetic at the speed of a large product in this precision, or all weights read once (for Whisper's decoder once a
token) at the speed of a copy, whichever takes longer. It is no bound from above for small products: it says what is
left. fp16 and bf16: weights and activations cast; preprocessing, pooling and most last layers stay float32. Random
weights: latency does not depend on them; how far precisions differ does."""


def write(report: Report, left_out: dict[str, str], missing: Sequence[str]) -> str:
    """Return the page; `left_out`: models that are never measured, and why; `missing`: for which there was no time."""
    parts = [f"# Each network alone on {report.device['name']}", f"Made by `{report.command}`.", NOTES]
    parts += ["## Device", _table(("what", ""), list(report.device.items()))]
    parts += ["## Ceilings", _table(("what", "measured"), _ceilings(report.ceilings)), "## In short"]
    parts += [_table(SHORT, [_short(network, report.ceilings) for network in report.networks])]
    for network in report.networks:
        parts += _network(network, report.ceilings)
    parts += ["## Not measured", _bullets([f"{name}: {why}" for name, why in left_out.items()])]
    if missing:
        parts.append(_bullets([f"{name}: the run ended before it" for name in missing]))
    return "\n\n".join(parts) + "\n"


SHORT = (
    "network",
    "weights",
    "weights in a call",
    "GFLOP a row",
    "batch 1, ms",
    "at best, rows a second",
    "in",
    "GPU as CPU",
)


def _short(measured: Measured, ceilings: Ceilings) -> tuple[str, ...]:
    """Return a network's line: the median of one float32 row called from Python, and its best throughput."""
    one = [cell for cell in measured.cells if cell.batch == 1 and cell.precision == "fp32" and cell.mode == EAGER]
    best = max(measured.cells, key=lambda cell: cell.batch / cell.median_s, default=None)
    checks = [check for check in measured.agreements if check.what == ON_CPU]
    return (
        measured.name,
        measured.weights,
        f"{measured.weights_read / 1e6:.1f} M",
        f"{measured.gflops:.3g}",
        _ms(one[0]) if one else "-",
        f"{speed(measured, best, ceilings).rows_per_s:.4g}" if best else "-",
        f"{best.precision}, {best.mode}, batch {best.batch}" if best else "-",
        _agrees(checks[0]) if checks else "-",
    )


ON_CPU = "fp32 against fp32 on the CPU"
FAITHFUL = 2e-3
"""Float32 on two devices may differ by so much of the largest value: orders of summation differ."""


def _agrees(check: Agreement) -> str:
    if check.max_abs is None or check.largest is None:
        return "**no: not finite**"
    return "yes" if check.max_abs <= FAITHFUL * check.largest else "**no**"


def _ceilings(ceilings: Ceilings) -> list[tuple[str, str]]:
    rows = [(f"product of large matrices, {name}", f"{value:.4g} TFLOP/s") for name, value in ceilings.tflops.items()]
    rows.append(("copy within the device, read and written", f"{ceilings.copy_gbs:.4g} GB/s"))
    for what, value in (("pinned", ceilings.pinned_gbs), ("pageable", ceilings.pageable_gbs)):
        rows += [(f"copy from the host, {what} memory", f"{value:.4g} GB/s")] if value is not None else []
    rows.append(("one small operator, called from Python", f"{ceilings.launch_us:.2f} µs"))
    rows += [("the same in a CUDA graph", f"{ceilings.graph_us:.2f} µs")] if ceilings.graph_us is not None else []
    return rows


CELLS = ("batch", "precision", "eager, ms", "graph, ms", "rows a second", "TFLOP/s", "share", "bound by", "peak MiB")
CHECKS = ("what", "batch", "largest difference", "largest value", "cosine", "equal top 1")


def _network(measured: Measured, ceilings: Ceilings) -> list[str]:
    weights = "random weights of the published size" if measured.weights == "random" else f"weights: {measured.weights}"
    parts = [f"## {measured.name}", f"Step `{measured.step}`; {weights}; a row is one {measured.unit}."]
    if measured.cells:
        parts.append(_table(CELLS, list(_cells(measured, ceilings))))
    if measured.agreements:
        parts.append(_table(CHECKS, [_check(agreement) for agreement in measured.agreements]))
    if measured.failures:
        parts.append(_bullets([f"not measured: {failure.what}: {failure.why}" for failure in measured.failures]))
    return parts


def _cells(measured: Measured, ceilings: Ceilings) -> Iterator[tuple[str, ...]]:
    pairs: dict[tuple[int, str], dict[str, Cell]] = {}
    for cell in measured.cells:
        pairs.setdefault((cell.batch, cell.precision), {})[cell.mode] = cell
    for (batch, precision), modes in pairs.items():
        best = min(modes.values(), key=lambda cell: cell.median_s)
        reached = speed(measured, best, ceilings)
        yield (
            str(batch),
            precision,
            *(_ms(modes[mode]) if mode in modes else "-" for mode in (EAGER, GRAPH)),
            f"{reached.rows_per_s:.4g}",
            f"{reached.tflops:.3g}",
            f"{100 * reached.share:.1f} %",
            reached.bound,
            "-" if best.peak_mib is None else f"{max(cell.peak_mib or 0 for cell in modes.values()):.0f}",
        )


def _check(agreement: Agreement) -> tuple[str, ...]:
    if agreement.max_abs is None:
        return (agreement.what, str(agreement.batch), "**not finite**", "-", "-", "-")
    return (
        agreement.what,
        str(agreement.batch),
        f"{agreement.max_abs:.2e}",
        f"{agreement.largest:.3g}",
        f"{agreement.cosine:.6f}",
        "-" if agreement.top1 is None else f"{100 * agreement.top1:.1f} %",
    )


def _ms(cell: Cell) -> str:
    return f"{1000 * cell.median_s:.3f} ({1000 * cell.least_s:.3f})"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table by rich: the packages of a bare host have nothing else that makes one."""
    table = Table(*(Column(Text(name)) for name in header), box=MARKDOWN)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=StringIO(), width=10_000, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.strip() for line in capture.get().splitlines() if line.strip())
