"""What is said at a cut, heard by the windows on both of its sides: kept once, and whole.

Utterances of the two windows that overlap are the same speech. The window that heard it to its end tells it; where
neither did, since it is longer than what the windows share, the two texts are joined at the words they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise, product

from triptych_client.decode import UNSPACED_LANGUAGES
from triptych_client.footage.cutting import LEAD_S, TAIL_S
from triptych_client.footage.means import mean
from triptych_client.footage.parts import Part
from triptych_client.results import Utterance

SHARED = 0.3
"""Two utterances that share so much of the shorter one are the same speech: times are not exact."""

EDGE_S = 0.35
"""An utterance that begins or ends so near to what its window heard may go on beyond."""

Said = list[Utterance]


def join(parts: Sequence[Part]) -> tuple[Utterance, ...]:
    """Return the utterances of a film, in order of time, from parts in order of time."""
    heard = [_absolute(part) for part in parts]
    for number, (left, right) in enumerate(pairwise(parts)):
        if left.end_s == right.start_s:
            heard[number], heard[number + 1] = _parted(heard[number], heard[number + 1], right.start_s)
    return tuple(sorted((said for one in heard for said in one), key=lambda said: said.start_s))


def _absolute(part: Part) -> Said:
    told = part.analysis.transcript.utterances if part.analysis else ()
    times = part.origin_s
    return [replace(said, start_s=max(said.start_s + times, 0.0), end_s=said.end_s + times) for said in told]


def _parted(before: Said, after: Said, cut_s: float) -> tuple[Said, Said]:
    """Return what two windows heard, what both did being in one of them only."""
    rest_before, rest_after = dict(enumerate(before)), dict(enumerate(after))
    kept: Said = []
    for lefts, rights in _same(before, after):
        kept += _once([before[left] for left in sorted(lefts)], [after[right] for right in sorted(rights)], cut_s)
        for left in lefts:
            del rest_before[left]
        for right in rights:
            del rest_after[right]
    return list(rest_before.values()), [*kept, *rest_after.values()]


def _same(before: Said, after: Said) -> list[tuple[set[int], set[int]]]:
    """Return groups of utterances that are the same speech, by their places in what either window heard."""
    groups: list[tuple[set[int], set[int]]] = []
    for left, right in product(range(len(before)), range(len(after))):
        if _shared(before[left], after[right]):
            touched = [group for group in groups if left in group[0] or right in group[1]]
            groups = [group for group in groups if group not in touched]
            lefts = {left}.union(*(group[0] for group in touched))
            rights = {right}.union(*(group[1] for group in touched))
            groups.append((lefts, rights))
    return groups


def _shared(left: Utterance, right: Utterance) -> bool:
    common_s = min(left.end_s, right.end_s) - max(left.start_s, right.start_s)
    shorter_s = min(left.end_s - left.start_s, right.end_s - right.start_s)
    return common_s > 0 and common_s >= SHARED * shorter_s


def _once(lefts: Said, rights: Said, cut_s: float) -> Said:
    """Return the same speech as one window tells it, or as both do."""
    if lefts[-1].end_s < cut_s + TAIL_S - EDGE_S:
        return lefts
    if rights[0].start_s > cut_s - LEAD_S + EDGE_S:
        return rights
    return [_merged(lefts, rights)]


def _merged(lefts: Said, rights: Said) -> Utterance:
    """Return one utterance from the beginning of the first to the end of the last, with the words of both."""
    all_said = [*lefts, *rights]
    lengths = [said.end_s - said.start_s for said in all_said]
    longest = all_said[lengths.index(max(lengths))]
    confidences = [said.confidence for said in all_said if said.confidence is not None]
    return replace(
        longest,
        start_s=lefts[0].start_s,
        end_s=max(said.end_s for said in all_said),
        text=joined_texts([s.text for s in lefts], [s.text for s in rights], longest.language),
        probabilities=mean([said.probabilities for said in all_said], lengths),
        expressed=mean([said.expressed for said in all_said], lengths),
        confidence=min(confidences, default=None),
    )


def joined_texts(lefts: Iterable[str], rights: Iterable[str], language: str | None) -> str:
    """Return two texts, the end of one being heard again at the beginning of the other, as one.

    They are joined in the middle of the longest run of words (of characters, in a language without spaces) that both
    have; without any, one follows the other.
    """
    between = "" if language in UNSPACED_LANGUAGES else " "
    one, other = (_words(between.join(texts), between) for texts in (lefts, rights))
    common = SequenceMatcher(None, bare(one), bare(other), autojunk=False).find_longest_match()
    if common.size == 0:
        return between.join([*one, *other])
    half = (common.size + 1) // 2
    return between.join([*one[: common.a + half], *other[common.b + half :]])


def _words(text: str, between: str) -> list[str]:
    return text.split() if between else list(text)


def bare(words: Iterable[str]) -> list[str]:
    """Return words as they are compared: what is said alike may be written with another capital or comma."""
    return ["".join(filter(str.isalnum, word)).casefold() for word in words]
