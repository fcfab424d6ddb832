"""Mutations are functions of bytes and a name, and what reads the formats writes back what it read."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.fuzz import bytewise, cases, matroska, mp4, seeds, tree
from benchmarks.fuzz.seeds import Form

MP4 = seeds.encode(Form("mp4", "mp4", "libx264", "aac"))
FRAGMENTED = seeds.encode(Form("mp4", "mp4", "libx264", "aac", options=(("movflags", "+frag_keyframe+empty_moov"),)))
MKV = seeds.encode(Form("webm", "webm", "libvpx", "libopus"))


@pytest.mark.parametrize("data", [MP4, FRAGMENTED])
def test_boxes_are_written_as_they_were_read(data: bytes) -> None:
    forest = mp4.parse(data)
    assert tree.written(forest, mp4.FORMAT) == data
    names = {tree.at(forest, path).name for path in tree.paths(forest)}
    assert {b"ftyp", b"moov", b"trak", b"stsd", b"avc1", b"avcC", b"stts", b"mdat"} <= names


def test_elements_are_written_as_they_were_read() -> None:
    forest = matroska.parse(MKV)
    assert tree.written(forest, matroska.FORMAT) == MKV
    names = {tree.at(forest, path).name for path in tree.paths(forest)}
    assert {matroska.SEGMENT, matroska.TRACK, matroska.PIXEL_WIDTH, matroska.SIMPLE_BLOCK} <= names


@given(st.binary(max_size=200))
def test_bytes_that_are_no_boxes_stay_as_they_are(data: bytes) -> None:
    once = tree.written(mp4.parse(data), mp4.FORMAT)
    assert tree.written(mp4.parse(once), mp4.FORMAT) == once


@given(st.binary(max_size=200))
def test_bytes_that_are_no_elements_stay_as_they_are(data: bytes) -> None:
    once = tree.written(matroska.parse(data), matroska.FORMAT)
    assert tree.written(matroska.parse(once), matroska.FORMAT) == once


@given(st.integers(0, (1 << 56) - 2))
def test_a_size_is_read_as_it_was_written(size: int) -> None:
    written = matroska.size_of(size)
    width = len(written)
    assert int.from_bytes(written, "big") == size | 1 << (7 * width)
    assert size != (1 << (7 * width)) - 1, "that would say that the size is not known"


def test_a_header_at_the_end_leaves_the_samples_where_they_are() -> None:
    forest = mp4.with_header_last(mp4.parse(FRAGMENTED))
    data = tree.written(forest, mp4.FORMAT)
    assert forest[-1].name == b"moov"
    assert data.index(b"mdat") == FRAGMENTED.index(b"mdat")


@pytest.mark.parametrize("operation", tree.OPERATIONS)
def test_every_operation_makes_another_file_of_some_seed(operation) -> None:
    forest = mp4.parse(MP4)
    places = list(tree.paths(forest))
    made = {tree.written(operation(forest, path, mp4.FORMAT, Random(0)), mp4.FORMAT) for path in places}
    assert made - {MP4}


def test_a_lying_size_is_written() -> None:
    (box,) = mp4.parse(mp4.write(tree.Node(b"free", b"1234", stated_size=12)))
    assert box == tree.Node(b"free", b"1234", size_bytes=4)
    assert mp4.write(tree.Node(b"free", b"1234", stated_size=1 << 40))[:16] == (
        b"\0\0\0\1free" + ((1 << 40) + 8).to_bytes(8, "big")
    )


@pytest.mark.parametrize("mutation", cases.BYTEWISE.values())
@pytest.mark.parametrize("data", [b"x", MP4])
def test_bytewise_mutations_change_a_file_of_any_size(mutation: cases.Mutation, data: bytes) -> None:
    made = {mutation(data, Random(number)) for number in range(20)}
    assert made - {data}
    assert max(map(len, made)) <= bytewise.MAX_BYTES


def test_a_splice_has_bytes_of_both() -> None:
    made = {bytewise.splice(b"a" * 50, Random(number), [b"b" * 50]) for number in range(20)}
    assert any(one.startswith(b"a") and one.endswith(b"b") for one in made), "one goes on with the other"
    assert any(one[:1] + one[-1:] == b"aa" and b"b" in one for one in made), "one has a span of the other"


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_an_interesting_number_has_its_size(size: int) -> None:
    assert {len(bytewise.interesting(Random(number), size)) for number in range(300)} == {size}


def test_a_name_makes_the_same_bytes_again() -> None:
    corpus = cases.Corpus.of([seeds.Seed("a/b.mp4", MP4), seeds.Seed("c.webm", MKV)])
    chosen = corpus.mutated(60)
    assert len({case.name for case in chosen}) == 60
    assert {case.kind for case in chosen} == {*cases.BYTEWISE, *cases.STRUCTURAL, cases.SPLICE}
    for case in chosen:
        assert cases.Case.named(case.name) == case
        assert corpus.data(case) == cases.Corpus.of(list(corpus.seeds.values())).data(case)


def test_large_seeds_take_their_turn_less_often() -> None:
    large, small = seeds.Seed("large", bytes(2 << 20)), seeds.Seed("small", b"small")
    chosen = cases.Corpus.of([large, small]).mutated(500)
    assert sum(case.seed == "large" for case in chosen) == 100
