"""A job without a cluster: what is lost on the way is asked again, what is written is there once, and it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import grpc
import polars as pl
import pytest

from samples import films
from samples.faulty_store import FaultyStore, faulty_store
from samples.scripted_server import Refusal, ScriptedServer
from triptych_client import Client, FolderInUse, TriptychClientError
from triptych_client.batch import manifest, rows
from triptych_client.batch.fetching import Fetching
from triptych_client.batch.job import Job, Stream, Wish
from triptych_client.batch.lane import Asked, Lane
from triptych_client.batch.ledger import Ledger
from triptych_client.batch.pieces import Piece, of_table, to_table
from triptych_client.batch.rates import Rates
from triptych_client.batch.stores import Patience
from triptych_client.footage.cutting import Bounds

ONCE = Patience(0)
CLIPS = 7
SIZE = 3


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of clips that a scripted server answers, whatever is in them."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(CLIPS):
        (folder / f"{number}.mp4").write_bytes(f"clip {number}".encode())
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def job(clips: Path | str, out: Path | str, lines: list[str] | None = None, **changes) -> Job:
    wish = {"out": str(out), "partition": SIZE, "patience": ONCE, **changes}
    told = [] if lines is None else lines
    return Job(manifest.read(str(clips), "path", ONCE), Wish(**wish), told.append)


def through(server: ScriptedServer, work: Job, bounds: Bounds | None = None) -> Stream:
    """Ask a server in this process, by the same parts that run on a cluster; pieces pass through Arrow as there."""
    fetching = Fetching(bounds or Bounds(60, 1 << 20), ONCE)

    def ask(todo: Sequence[int]) -> Iterator[Piece]:
        with Client(server.url) as client:
            lane = Lane(client, Asked(), 0, lambda seconds: None)
            for clip in todo:
                for piece in fetching.pieces(clip, work.manifest.clips[clip]):
                    yield from of_table(to_table([lane.ask(next(of_table(to_table([piece]))))]))

    return ask


def run(work: Job, bounds: Bounds | None = None) -> Rates:
    with ScriptedServer() as server:
        return work.run(lambda: through(server, work, bounds))


def table(out: Path | str, name: str) -> pl.DataFrame:
    return pl.read_parquet(f"{out}/{name}/*.parquet")


def numbers(out: Path) -> list[int]:
    return sorted(table(out, rows.CLIPS)["clip"].to_list())


def test_a_row_a_clip_and_a_row_a_window_with_the_models_in_each(clips: Path, out: Path):
    rates = run(job(clips, out))
    assert (rates.done, rates.answered, rates.failures.total()) == (CLIPS, CLIPS, 0)
    assert sorted(path.name for path in (out / rows.CLIPS).iterdir()) == [f"part-{n:06d}.parquet" for n in range(3)]
    by_clip, by_window = table(out, rows.CLIPS), table(out, rows.WINDOWS)
    assert by_clip["path"].sort().to_list() == [f"{clips}/{number}.mp4" for number in range(CLIPS)]
    assert by_window.group_by("path").len()["len"].to_list() == [5] * CLIPS
    for frame in (by_clip, by_window):
        assert set(frame["models"]) == {"face fer-cnn 59534287fdfb; sound tag-comparison -"}
        assert set(frame["triton"]) == {"2.51.0"}
        assert set(frame["triptych"]) == {"0.1.0"}
    assert tuple(by_clip.columns) == rows.COLUMNS[rows.CLIPS]
    assert tuple(by_window.columns) == rows.COLUMNS[rows.WINDOWS]
    assert not (out / rows.DEAD_LETTERS).exists()


def test_a_job_that_is_done_asks_nothing(clips: Path, out: Path):
    run(job(clips, out))
    rates = job(clips, out).run(lambda: pytest.fail("nothing is missing"))
    assert (rates.before, rates.done) == (CLIPS, 0)
    assert rates.summary().startswith("0 answered, 7 were there before")


def test_a_job_that_was_killed_goes_on_after_the_partitions_that_are_there(clips: Path, out: Path):
    class Killed(Exception):  # noqa: N818
        pass

    work = job(clips, out)
    with ScriptedServer() as server:

        def until_killed(todo: Sequence[int]) -> Iterator[Piece]:
            for count, piece in enumerate(through(server, work)(todo)):
                if count == 5:
                    raise Killed
                yield piece

        with pytest.raises(Killed):
            work.run(lambda: until_killed)
        assert numbers(out) == [0, 1, 2]
        again = job(clips, out)
        rates = again.run(lambda: through(server, again))
        asked = [request.raw_input_contents[0].decode() for request in server.requests]
    assert (rates.before, rates.done) == (3, 4)
    assert numbers(out) == list(range(CLIPS))
    assert all(asked.count(f"clip {number}") == 1 for number in (0, 1, 2))


def test_what_comes_twice_or_is_lost_is_there_once(clips: Path, out: Path):
    """As when Ray runs a stage again, or leaves out what it thinks was passed on."""
    work = job(clips, out)
    with ScriptedServer() as server:
        passes: list[list[int]] = []

        def unreliable(todo: Sequence[int]) -> Iterator[Piece]:
            passes.append(list(todo))
            for piece in through(server, work)(todo):
                if len(passes) == 1 and piece.clip in (1, 5):
                    continue
                yield from (piece, piece)

        work.run(lambda: unreliable)
    assert passes == [list(range(CLIPS)), [1, 5]]
    assert numbers(out) == list(range(CLIPS))


def test_clips_of_which_nothing_ever_comes_end_the_job(clips: Path, out: Path):
    with pytest.raises(TriptychClientError, match="7 clips came to nothing"):
        job(clips, out).run(lambda: lambda todo: iter(()))


def test_between_the_files_of_a_partition_and_its_end_nothing_counts(clips: Path):
    """A kill after each of the writes of a job, in a store without renaming."""
    with faulty_store() as store:
        run(job(clips, "faulty://whole"))
        written = list(store.writes)
        for kept in range(2, len(written)):
            bucket = f"/cut{kept}"
            for name in written[:kept]:
                store().pipe_file(name.replace("/whole", bucket), store.store[name].getvalue())
            work = job(clips, f"faulty:/{bucket}")
            rates = run(work)
            done = sum("/done/" in name for name in written[:kept])
            assert rates.before == sum(len(work.plan.members(number)) for number in range(done))
            found = [name for name in store.store if name.startswith(f"{bucket}/clips/")]
            clips_there = [pl.read_parquet(store.store[name].getvalue())["clip"].to_list() for name in found]
            assert sorted(chain(*clips_there)) == list(range(CLIPS))


def test_what_fails_is_a_row_and_a_dead_letter_which_is_a_manifest(clips: Path, out: Path):
    (clips / "0.mp4").unlink()
    (clips / "0.mp4").symlink_to(clips / "nowhere")
    (clips / "1.mp4").write_bytes(b"")
    work = job(clips, out)
    lost = Refusal(grpc.StatusCode.INTERNAL, "boom")
    with ScriptedServer([Refusal(grpc.StatusCode.INVALID_ARGUMENT, "no picture, no sound"), lost]) as server:
        rates = work.run(lambda: through(server, work))
    assert rates.failures == {"InvalidClip": 3}
    dead = table(out, rows.DEAD_LETTERS).sort("clip")
    assert dead["path"].to_list() == [f"{clips}/{number}.mp4" for number in range(3)]
    assert dead["error"].to_list() == [
        "cannot be read: No such file or directory",
        "the clip is empty (0 bytes)",
        "no picture, no sound",
    ]
    by_clip = table(out, rows.CLIPS).sort("clip")
    assert by_clip["error"].is_not_null().to_list() == [True] * 3 + [False] * 4
    assert by_clip["retries"][3].startswith("ServerError: the server at ")
    again = manifest.read(f"{out}/{rows.DEAD_LETTERS}", "path", ONCE)
    assert list(again.clips) == dead["path"].to_list()
    assert rates.summary().endswith("3 have no answer: see dead_letters/, InvalidClip 3")


def test_windows_of_long_footage_become_one_clip(clips: Path, out: Path):
    film = films.write(clips / "film.mp4", 12)
    rates = run(job(clips, out), Bounds(8.25, 1 << 20))
    assert rates.answered == CLIPS + 1
    row = table(out, rows.CLIPS).filter(pl.col("path") == str(film))
    assert row["parts"].to_list() == [3]
    assert row["duration_s"][0] == pytest.approx(12, abs=0.05)
    starts = table(out, rows.WINDOWS).filter(pl.col("path") == str(film))["start_s"].to_list()
    assert starts == sorted(starts)
    assert max(starts) > 8


def test_a_film_of_which_a_window_fails_says_so(clips: Path, out: Path):
    for path in clips.iterdir():
        path.unlink()
    films.write(clips / "film.mp4", 12)
    work = job(clips, out)
    with ScriptedServer([Refusal(grpc.StatusCode.INVALID_ARGUMENT, "dark")]) as server:
        work.run(lambda: through(server, work, Bounds(8.25, 1 << 20)))
    row = table(out, rows.CLIPS)
    assert (row["parts"][0], row["parts_failed"][0], row["error"][0]) == (3, 1, None)


def test_another_manifest_or_task_into_the_same_folder_is_refused(clips: Path, out: Path):
    run(job(clips, out))
    for other, said in (
        (job(clips, out, asked=Asked("translate")), "with another task, language or window"),
        (job(clips, out, partition=2), "with another --partition"),
    ):
        with pytest.raises(TriptychClientError, match=said):
            run(other)
    (clips / "8.mp4").write_bytes(b"new")
    with pytest.raises(TriptychClientError, match="with another manifest, number of clips"):
        run(job(clips, out))


def test_a_run_that_another_has_replaced_writes_nothing_more(clips: Path, out: Path):
    work = job(clips, out)
    with ScriptedServer() as server:

        def overtaken(todo: Sequence[int]) -> Iterator[Piece]:
            newer = job(clips, out)
            newer.ledger.open()
            yield from through(server, work)(todo)

        with pytest.raises(FolderInUse, match="a newer run has taken over"):
            work.run(lambda: overtaken)
    assert not (out / rows.CLIPS).exists()


def test_a_plan_that_is_none_is_one_line(clips: Path, out: Path):
    (out / "_triptych").mkdir(parents=True)
    (out / "_triptych" / "plan.json").write_text(json.dumps({"this": "is none"}))
    with pytest.raises(TriptychClientError, match="is no plan of a job"):
        run(job(clips, out))


def test_a_store_that_fails_while_answers_are_written_loses_none(clips: Path):
    with faulty_store() as store:
        work = job(clips, "faulty://out", patience=Patience(60, lambda seconds: None))
        with ScriptedServer() as server:

            def failing(todo: Sequence[int]) -> Iterator[Piece]:
                for piece in through(server, work)(todo):
                    FaultyStore.faults = [OSError("503 Slow Down")] * 2
                    yield piece

            work.run(lambda: failing)
        found = [name for name in store.store if name.startswith("/out/clips/")]
        assert len(found) == len(work.plan.partitions)


def test_the_partitions_of_a_plan_hold_each_clip_once(clips: Path, out: Path):
    plan = job(clips, out).plan
    members = [clip for number in plan.partitions for clip in plan.members(number)]
    assert members == list(range(CLIPS))
    assert all(clip in plan.members(plan.partition_of(clip)) for clip in members)


def test_the_first_clip_and_then_every_half_minute_a_line_says_how_far_it_is(clips: Path, out: Path):
    now = [0.0]
    lines: list[str] = []
    work = Job(
        manifest.read(str(clips), "path", ONCE), Wish(str(out), SIZE, patience=ONCE), lines.append, lambda: now[0]
    )
    with ScriptedServer() as server:

        def slow(todo: Sequence[int]) -> Iterator[Piece]:
            for piece in through(server, work)(todo):
                now[0] += 12
                yield piece

        work.run(lambda: slow)
    assert lines == [
        "1 of 7 clips",
        "4 of 7 clips, 0.08 clips/s, 0.5 x real time, 0:00:36 left",
        "7 of 7 clips, 0.08 clips/s, 0.5 x real time, 0:00:00 left",
    ]


def test_a_ledger_counts_what_is_there(clips: Path, out: Path):
    (clips / "0.mp4").write_bytes(b"")
    work = job(clips, out)
    run(work)
    done, counts = Ledger(work.ledger.folder, work.plan).open()
    assert (done, counts.clips, counts.failed) == ({0, 1, 2}, CLIPS, 1)
