"""What may be asked of a clip."""

from __future__ import annotations

import pytest

from triptych.errors import RequestError
from triptych.serving import options
from triptych.words.whisper.rules import Rules
from triptych_client.contract import SPOKEN_LANGUAGES, TASKS


@pytest.mark.parametrize("parameters", [{}, {"task": "translate"}, {"language": "ru"}, {"language": ""}, {"other": 7}])
def test_what_there_is_passes(parameters: dict):
    options.check(parameters)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"task": "sing"}, "task is 'sing'; it can be transcribe or translate"),
        ({"language": "xx"}, "language is 'xx'; it can be one of en, zh"),
        ({"language": 7}, "language is 7;"),
    ],
)
def test_what_there_is_not_is_refused(parameters: dict, words: str):
    with pytest.raises(RequestError, match=words):
        options.check(parameters)


def test_the_default_recogniser_knows_all_but_what_came_later(repository):
    rules = Rules.read(repository / "whisper" / "1" / "generation.json")
    assert set(SPOKEN_LANGUAGES) - set(rules.languages) == {"yue"}
    assert set(rules.languages) <= set(SPOKEN_LANGUAGES)
    assert set(rules.tasks) == set(TASKS)
