"""A small ensemble called like ours, for tests of what stands in front of it: a step that waits, and one that notes."""

from __future__ import annotations

from pathlib import Path

CONFIGS = {
    "emotion": """
name: "emotion" platform: "ensemble" max_batch_size: 0
input [ { name: "VIDEO" data_type: TYPE_UINT8 dims: [ -1 ] } ]
output [ { name: "SIZE" data_type: TYPE_INT32 dims: [ 1 ] } ]
ensemble_scheduling {
  step { model_name: "waits" model_version: -1
         input_map { key: "VIDEO" value: "VIDEO" } output_map { key: "SIZE" value: "size" } }
  step { model_name: "notes" model_version: -1
         input_map { key: "SIZE" value: "size" } output_map { key: "SIZE" value: "SIZE" } }
}
""",
    "waits": """
name: "waits" backend: "python" max_batch_size: 0
input [ { name: "VIDEO" data_type: TYPE_UINT8 dims: [ -1 ] } ]
output [ { name: "SIZE" data_type: TYPE_INT32 dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
""",
    "notes": """
name: "notes" backend: "python" max_batch_size: 0
input [ { name: "SIZE" data_type: TYPE_INT32 dims: [ 1 ] } ]
output [ { name: "SIZE" data_type: TYPE_INT32 dims: [ 1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
""",
}

WAITS = '''
import os
import signal
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Answers how large a clip is. `wait...` waits for a file `go`, `fail...` is an error, `kill...` ends the step."""

    def initialize(self, args):
        self.folder = Path(args["model_repository"]).resolve()

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        clip = pb_utils.get_input_tensor_by_name(request, "VIDEO").as_numpy().tobytes()
        with (self.folder / "began.txt").open("a") as file:
            file.write(clip[:40].decode("latin-1") + "\\n")
        deadline = time.monotonic() + 60
        while clip.startswith(b"wait") and not (self.folder / "go").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        if clip.startswith(b"kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if clip.startswith(b"fail"):
            error = pb_utils.TritonError("no film", pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        return pb_utils.InferenceResponse([pb_utils.Tensor("SIZE", np.array([len(clip)], np.int32))])
'''

NOTES = '''
from pathlib import Path

import triton_python_backend_utils as pb_utils

from triptych.serving import adapter


class TritonPythonModel:
    """Notes which clips it computes, and which it leaves since nobody waits."""

    def initialize(self, args):
        self.folder = Path(args["model_repository"]).resolve()

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        size = pb_utils.get_input_tensor_by_name(request, "SIZE").as_numpy()
        did = "left" if adapter.has_left(request) else "computed"
        with (self.folder / "noted.txt").open("a") as file:
            file.write(f"{did} {size[0]} {adapter.request_id(request)} {request.is_cancelled()}\\n")
        return pb_utils.InferenceResponse([pb_utils.Tensor("SIZE", size)])
'''


class ToyGraph:
    """The ensemble in a folder, and what its steps wrote down."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, config in CONFIGS.items():
            (root / name / "1").mkdir(parents=True)
            (root / name / "config.pbtxt").write_text(config, encoding="utf-8")
        for name, code in {"waits": WAITS, "notes": NOTES}.items():
            (root / name / "1" / "model.py").write_text(code, encoding="utf-8")

    def go(self) -> None:
        """Let the clips that wait go on."""
        (self.root / "waits" / "go").touch()

    def hold(self) -> None:
        """Let clips wait again."""
        (self.root / "waits" / "go").unlink(missing_ok=True)

    def began(self) -> list[str]:
        """Return the first letters of each clip that the first step got."""
        return _lines(self.root / "waits" / "began.txt")

    def noted(self) -> list[list[str]]:
        """Return what the last step noted: computed or left, size, request id, whether Triton says it is cancelled."""
        return [line.split(" ") for line in _lines(self.root / "notes" / "noted.txt")]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
