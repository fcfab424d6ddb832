"""ELAN's .eaf and Praat's TextGrid, held against the rules of their formats and read by another program."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pympi
import pytest

from samples import client as samples
from triptych_client.contract import CHANNELS
from triptych_client.results import Analysis, Utterance
from triptych_client.tiers import Tier, eaf, textgrid, tiers

ORDER = ("HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE")
"""The elements of a document in ELAN's schema, in the order that it demands, as far as they are written here."""


def quoting() -> Analysis:
    """Return an answer with what both formats must escape, and with utterances that overlap."""
    answer = samples.analysis("a folder/клип & 1.mp4")
    said = (
        Utterance(0.4, 2.0, 'He said "no" <& left>\x07', samples.analysis().emotion.probabilities, 0.9, "en"),
        Utterance(1.9, 3.0, "Ну что?", None, 0.9, "ru"),
        Utterance(2.5, 2.9, "hm", None, 0.9, "ru"),
    )
    return replace(answer, transcript=replace(answer.transcript, utterances=said))


ANSWERS = {
    "sample": samples.analysis(),
    "nothing": samples.nothing(),
    "quoting": quoting(),
    "bytes": samples.analysis(None),
}


def by_name(made: list[Tier]) -> dict[str, Tier]:
    return {tier.name: tier for tier in made}


def test_there_is_a_tier_for_each_channel_each_person_and_what_is_said():
    made = by_name(tiers(samples.analysis(), "en"))
    assert list(made) == ["emotion", *CHANNELS, "person 1", "utterances", "utterances: emotion"]
    assert made["emotion"].intervals == ((0.0, 2.5, "Sadness"), (2.5, 3.5, "Happiness"), (4.5, 6.04, "Anger"))
    assert made["utterances"].intervals[0] == (0.4, 1.9, "Ну что, звоним в скорую?")
    assert by_name(tiers(samples.analysis(), "ru"))["emotion"].intervals[0][2] == "Грусть"


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_the_intervals_of_a_tier_follow_each_other(answer: Analysis):
    for tier in tiers(answer):
        times = [time_s for start_s, end_s, _ in tier.intervals for time_s in (start_s, end_s)]
        assert times == sorted(times)
        assert all(start_s < end_s for start_s, end_s, _ in tier.intervals)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_document_is_as_elan_s_schema_demands(answer: Analysis):
    root = ElementTree.fromstring("".join(eaf([answer])))
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert {"DATE", "AUTHOR", "VERSION", "FORMAT"} <= set(root.attrib)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", root.attrib["DATE"])
    places = [ORDER.index(child.tag) for child in root]
    assert places == sorted(places)
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    ids = [one.attrib["ANNOTATION_ID"] for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(ids) | set(slots)) == len(ids) + len(slots)  # all of them are IDs of one document
    types = {kind.attrib["LINGUISTIC_TYPE_ID"] for kind in root.iter("LINGUISTIC_TYPE")}
    names = [tier.attrib["TIER_ID"] for tier in root.iter("TIER")]
    assert len(set(names)) == len(names)
    for tier in root.iter("TIER"):
        assert tier.attrib["LINGUISTIC_TYPE_REF"] in types
        spans = [
            tuple(slots[one.attrib[f"TIME_SLOT_REF{end}"]] for end in (1, 2))
            for one in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(start < end for start, end in spans)
        assert spans == sorted(spans)


def test_another_program_reads_what_was_written(tmp_path: Path):
    path = tmp_path / "answer.eaf"
    path.write_text("".join(eaf([quoting()])), encoding="utf-8")
    read = pympi.Elan.Eaf(str(path))
    assert [(start, end) for start, end, *_ in read.get_annotation_data_for_tier("utterances")] == [
        (400, 2000),
        (2000, 3000),
    ]
    assert read.get_annotation_data_for_tier("utterances")[0][2] == 'He said "no" <& left>\\x07'
    (media,) = read.media_descriptors
    assert media["MEDIA_URL"].startswith("file:///")
    assert media["MEDIA_URL"].endswith("/a%20folder/%D0%BA%D0%BB%D0%B8%D0%BF%20%26%201.mp4")
    assert media["MIME_TYPE"] == "video/mp4"


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_grid_has_no_gaps_and_is_read_back(answer: Analysis, tmp_path: Path):
    path = tmp_path / "answer.TextGrid"
    path.write_text("".join(textgrid([answer])), encoding="utf-8")
    grid = pympi.Praat.TextGrid(str(path))
    written = by_name(tiers(answer))
    assert [tier.name for tier in grid.get_tiers()] == [name for name, tier in written.items() if tier.intervals]
    for tier in grid.get_tiers():
        intervals = list(tier.get_all_intervals())
        assert (intervals[0][0], intervals[-1][1]) == (0.0, grid.xmax)
        assert all(left[1] == right[0] for left, right in pairwise(intervals))
        told = tuple((start_s, end_s, text.replace('""', '"')) for start_s, end_s, text in intervals if text)
        assert told == written[tier.name].intervals
