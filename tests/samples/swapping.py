"""Other models in the slots of a copied repository; the session's own stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import tritonclient.grpc as triton
from tritonclient.utils import np_to_triton_dtype

from export import runner
from triptych.files import link_or_copy
from triptych.paths import CACHE, ROOT


@contextmanager
def swapped(repository: Path, choices: Mapping[str, str], sources: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Copy the repository and export `choices` (slot -> entry) into the copy, which is gone at the end.

    `sources`: slot -> checkpoint, for entries that take one.
    """
    (ROOT / "build" / "tests").mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="swapped-", dir=ROOT / "build" / "tests") as name:
        folder = Path(name) / "model_repository"
        shutil.copytree(repository, folder, symlinks=True, copy_function=link_or_copy)
        runner.export(folder, CACHE, choices, report=lambda name, what: None, sources=sources)
        yield folder


def assert_serves_its_graph(url: str, repository: Path, step: str, output: str, **feeds: np.ndarray) -> np.ndarray:
    """Ask one step of the server, and ONNX Runtime for the same; return the answer."""
    inputs = []
    for name, array in feeds.items():
        inputs.append(triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    with triton.InferenceServerClient(url) as client:
        served = client.infer(step, inputs).as_numpy(output)
    session = onnxruntime.InferenceSession(repository / step / "1" / "model.onnx")
    (expected,) = session.run([output], feeds)
    np.testing.assert_allclose(served, expected, atol=1e-4)
    return expected
