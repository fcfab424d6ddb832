"""The real audiovisual clips of the data folder as clips for `triptych evaluate`: crops of faces get a border.

python -m benchmarks.real_clips --data DIR --out DIR && triptych evaluate --clips DIR

In a crop the face fills the picture, which a detector of faces was not made for. The border is of the picture's mean
colour, half of a side on each; the sound is copied as it is.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import typer
from rich.progress import track

from triptych.files import write_text

FOLDER = "av"
COLUMNS = ("file", "emotion", "group", "kind")
WHOLE = "native_av"
"""The kind of clips that are as they were filmed."""
BORDER = 0.5
QUALITY = {"crf": "12", "preset": "veryfast"}


def main(
    data: Annotated[Path, typer.Option("--data", help="Folder with av/.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder for the clips and their labels.csv.")],
) -> None:
    """Write the clips and their table."""
    out.mkdir(parents=True, exist_ok=True)
    with (data / FOLDER / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in track(rows, "clips"):
        clip = (data / FOLDER / "clips" / row["file"]).read_bytes()
        (out / row["file"]).write_bytes(clip if row["kind"] == WHOLE else bordered(clip))
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(out / "labels.csv", table.getvalue())


def bordered(clip: bytes) -> bytes:
    """Return a clip whose pictures have a border, as H.264 in Matroska beside its own sound."""
    target = io.BytesIO()
    with av.open(io.BytesIO(clip)) as source, av.open(target, "w", format="matroska") as sink:
        picture, sound = source.streams.video[0], next(iter(source.streams.audio), None)
        drawn = sink.add_stream("libx264", rate=picture.average_rate, options=QUALITY)
        drawn.height, drawn.width = (length + sum(_borders(length)) for length in (picture.height, picture.width))
        kept = sink.add_stream_from_template(sound) if sound else None
        for packet in source.demux(*filter(None, (picture, sound))):
            if packet.stream == picture:
                for frame in packet.decode():
                    sink.mux(drawn.encode(_bordered(frame)))
            elif kept and packet.dts is not None:
                packet.stream = kept
                sink.mux(packet)
        sink.mux(drawn.encode(None))
    return target.getvalue()


def _bordered(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the frame in a border, of even sides, at its own time."""
    pixels = frame.to_ndarray(format="rgb24")
    padding = [_borders(length) for length in pixels.shape[:2]]
    colour = pixels.mean((0, 1)).round().astype(np.uint8)
    wide = np.stack([np.pad(pixels[..., c], padding, constant_values=colour[c]) for c in range(3)], axis=-1)
    made = av.VideoFrame.from_ndarray(wide, format="rgb24").reformat(format="yuv420p")
    made.pts, made.time_base = frame.pts, frame.time_base
    return made


def _borders(length: int) -> tuple[int, int]:
    """Return the borders on either end of a side of so many pixels: the whole is even, as H.264 wants it."""
    border = round(BORDER * length)
    return border, border + length % 2


if __name__ == "__main__":
    typer.run(main)
