"""What does a long film cost, beside as many clips of one minute as it has minutes? And how much memory does it take?

python -m benchmarks.footage [--minutes 30] [--clip CLIP] [--repeats 2]

The film is the demo clip again and again, remuxed. Its minutes are sent as clips with the same concurrency; the bar is
1.1 times their time. Memory is the client's, at its peak, for the film and for one of half the length: a film of any
length is to take the same, but for its answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import av
import typer

from benchmarks import peak
from benchmarks.measure import publish, table
from triptych.commands.demo import make_clip
from triptych.paths import MODEL_REPOSITORY
from triptych.serving.service import Service
from triptych_client import Client, footage
from triptych_client.footage.cutting import Window
from triptych_client.footage.media import Film
from triptych_client.footage.remuxing import file_of

MINUTE_S = 60.0
CONCURRENCY = 2
MOST = 1.1


def make_film(clip: Path, minutes: float, path: Path) -> Path:
    """Write a film of so many minutes: a clip again and again, nothing encoded anew."""
    with av.open(str(path), "w", format="matroska") as target:
        streams, start_s = {}, 0.0
        while start_s < minutes * MINUTE_S:
            with Film(clip) as film:
                for stream in film.streams:
                    if stream.index not in streams:
                        streams[stream.index] = target.add_stream_from_template(stream)
                end_s = start_s
                for packet in film.packets():
                    if start_s + packet.shown_s < minutes * MINUTE_S:
                        end_s = max(end_s, start_s + packet.shown_s + packet.length_s)
                        _shift(packet.raw, start_s + packet.shift_s)
                        packet.raw.stream = streams[packet.stream]
                        target.mux(packet.raw)
            start_s = max(end_s, start_s + 1.0)
    return path


def _shift(packet: av.Packet, seconds: float) -> None:
    ticks = round(seconds / float(packet.time_base))
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks


def minutes_of(path: Path, minutes: int) -> Iterator[bytes]:
    """Yield the minutes of a film as files, each from its first key frame on."""
    with Film(path) as film:
        packets = list(film.packets())
        for number in range(minutes):
            start_s, end_s = number * MINUTE_S, (number + 1) * MINUTE_S
            inside = [packet for packet in packets if start_s <= packet.shown_s < end_s]
            first = next(i for i, packet in enumerate(inside) if packet.stream == film.anchor and packet.is_key)
            kept = [p for i, p in enumerate(inside) if p.stream != film.anchor or i >= first]
            yield file_of(Window(number, start_s, end_s, tuple(kept)), film)


def by_clips(client: Client, clips: list[bytes]) -> float:
    """Return how long the minutes take."""
    start_s = time.perf_counter()
    for outcome in client.map(clips, concurrency=CONCURRENCY):
        if outcome.error:
            raise outcome.error
    return time.perf_counter() - start_s


def by_film(client: Client, path: Path) -> float:
    """Return how long the film takes."""
    start_s = time.perf_counter()
    answer = footage.analyze(client, path, concurrency=CONCURRENCY)
    if not (answer.footage and answer.footage.complete):
        raise RuntimeError(f"not all of {path} was analysed: {answer.footage}")
    return time.perf_counter() - start_s


def analyze(url: str, path: str) -> None:
    """Analyse a film: what is measured for memory, in a process of its own."""
    with Client(url) as client:
        by_film(client, Path(path))


def main(
    minutes: Annotated[int, typer.Option(min=1)] = 30,
    clip: Annotated[Path | None, typer.Option(help="The film is made of this; the demo clip by default.")] = None,
    repeats: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Time both in turn, and publish the table."""
    source = clip or make_clip()
    with TemporaryDirectory() as folder, Service(MODEL_REPOSITORY) as server, Client(server.grpc_url) as client:
        film = make_film(source, minutes, Path(folder) / "film.mkv")
        half = make_film(source, minutes / 2, Path(folder) / "half.mkv")
        clips = list(minutes_of(film, minutes))
        client.analyze(clips[0])  # the first one pays for what is loaded late
        times = [(by_clips(client, clips), by_film(client, film)) for _ in range(repeats)]
        memory = [peak.mib("benchmarks.footage:analyze", server.grpc_url, str(path)) for path in (half, film)]
    clips_s, film_s = (min(column) for column in zip(*times))
    worst = max(film_s / clips_s for clips_s, film_s in times)
    rows = [
        ("film against its minutes, time (worst pair)", f"{worst:.2f} x", f"at most {MOST} x"),
        ("film against its minutes, time (best of each)", f"{film_s / clips_s:.2f} x", f"at most {MOST} x"),
        ("film", f"{film_s:.1f} s", f"{minutes * MINUTE_S / film_s:.1f} times as fast as it plays"),
        ("its minutes as clips", f"{clips_s:.1f} s", ""),
        (f"client's memory, {minutes:g} and {minutes / 2:g} minutes", f"{memory[1]:.0f} and {memory[0]:.0f} MiB", ""),
    ]
    command = f"python -m benchmarks.footage --minutes {minutes} --repeats {repeats}"
    publish("footage", command, table(("what", "measured", "bar"), rows))


if __name__ == "__main__":
    typer.run(main)
