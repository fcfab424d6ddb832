"""A host whose locale is ASCII, as in many containers, reads the same exported files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.paths import ROOT

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Python's own ways out of such a locale (PEP 538 and 540) are shut, as in Triton's stub, which is isolated."""

GENERATION = {
    "start_of_transcript": 1,
    "end_of_text": 0,
    "no_speech": 2,
    "no_timestamps": 3,
    "timestamp_begin": 10,
    "timestamp_step_s": 0.02,
    "max_initial_timestamp": 50,
    "multilingual": True,
    "languages": {"русский": 4},
    "tasks": {"transcribe": 5},
    "suppress": [],
    "suppress_at_begin": [],
}

READERS = {
    "generation.json": (
        GENERATION,
        "from triptych.words.whisper.rules import Rules\n"
        "print(ascii(*Rules.read(folder / 'generation.json').languages))",
    ),
    "settings.json": (
        {"features": "русский"},
        "from triptych.serving import settings\nprint(ascii(settings.read_text(folder, 'features')))",
    ),
}


@pytest.mark.parametrize("file", READERS)
def test_files_are_utf_8_whatever_the_locale(tmp_path: Path, file: str):
    content, reader = READERS[file]
    (tmp_path / file).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    script = f"from pathlib import Path\nfolder = Path({str(tmp_path)!r})\n{reader}"
    environment = {**os.environ, **ASCII, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "client")))}
    read = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (read.stdout.strip(), read.returncode) == (ascii("русский"), 0), read.stderr
