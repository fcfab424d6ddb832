"""Runs the DALI pipeline of a model folder as a Triton backend does: serialised, then deserialised."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
from nvidia.dali import Pipeline
from nvidia.dali._utils.autoserialize import invoke_autoserialize

from triptych.paths import MODEL_REPOSITORY
from triptych.serving import settings


def serialise(step: str, folder: Path, **chosen: str | int) -> Path:
    """Write the pipeline of `model_repository/<step>/1/dali.py`, with these settings beside it, into `folder`."""
    source = shutil.copy(MODEL_REPOSITORY / step / "1" / "dali.py", folder)
    (folder / settings.FILE).write_text(json.dumps(chosen), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"{step}_dali", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    invoke_autoserialize(module, str(folder / "model.dali"))
    return folder / "model.dali"


def run(path: Path, source: str, samples: list[np.ndarray]) -> np.ndarray:
    """Return the only output of a serialised pipeline for samples of its input `source`, stacked."""
    pipeline = Pipeline.deserialize(filename=str(path), batch_size=8, num_threads=1, prefetch_queue_depth=1)
    pipeline.build()
    pipeline.feed_input(source, samples)
    (output,) = pipeline.run()
    return output.as_array()


def devices(path: Path) -> set[str]:
    """Return the devices, "cpu" or "gpu", that the operators of a serialised pipeline have as their attribute."""
    return {name.decode() for name in re.findall(rb"device\x12\x06string\*\x03(cpu|gpu)", path.read_bytes())}
