"""Objects of any store that fsspec knows, by URL; what a store does not give for a while is asked for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from triptych_client import files
from triptych_client.errors import TriptychClientError
from triptych_client.extras import needed_for

Kept = TypeVar("Kept")
Note = Callable[[str], None]
"""Is told why something is asked for again."""

LASTING = (
    *(FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError),
    *(ImportError, NotImplementedError, TypeError, ValueError),
)
LASTING_NAMES = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "ParamValidationError"})
"""What asking again does not mend; the second are botocore's, which need not be installed."""

SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0


class StoreError(TriptychClientError):
    """A store does not let something be read or written, or does not answer."""


@dataclass(frozen=True)
class Patience:
    """How long a store that fails is asked again; `rest` waits between two attempts."""

    seconds: float = 600.0
    rest: Callable[[float], None] = field(default=time.sleep, compare=False)

    def keep_trying(self, url: str, work: Callable[[], Kept], note: Note) -> Kept:
        """Return what the work returns; StoreError when that does not help, or has not for so long."""
        with needed_for("triptych batch", "batch"):
            import tenacity

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_passing),
            stop=tenacity.stop_after_delay(self.seconds),
            wait=tenacity.wait_random_exponential(multiplier=SHORTEST_WAIT_S, max=LONGEST_WAIT_S),
            sleep=self.rest,
            before_sleep=lambda state: note(_words(state.outcome.exception())) if state.outcome else None,
            reraise=True,
        )
        try:
            return attempts(work)
        except TriptychClientError:
            raise
        except Exception as error:  # fsspec's file systems raise their libraries' own errors
            raise StoreError(_words(error), url) from error


def silent(reason: str) -> None:
    """Note nothing."""


def opened(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and the path there; StoreError for one that is not known here."""
    with needed_for("triptych batch", "batch"):
        import fsspec.core
    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StoreError(_words(error), url) from error


def is_local(system: Any) -> bool:
    """Tell whether a file system is that of this machine."""
    protocol = system.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


@contextmanager
def local(url: str, patience: Patience, note: Note) -> Iterator[Path]:
    """Give the file that a URL names, or a copy of it that lives as long as the block; StoreError."""
    system, path = opened(url)
    if is_local(system):
        yield Path(path)
        return
    with TemporaryDirectory(prefix="triptych-") as folder:
        target = Path(folder) / f"clip{Path(path).suffix}"
        patience.keep_trying(url, lambda: system.get_file(path, str(target)), note)
        yield target


class Folder:
    """A folder, or what begins with a prefix, in a store: objects by name, each written whole or not at all."""

    def __init__(self, url: str, patience: Patience, note: Note = silent) -> None:
        self.url = url.rstrip("/")
        self._system, self._path = opened(self.url)
        self._patience, self._note = patience, note

    def read(self, name: str) -> bytes | None:
        """Return an object, None where there is none."""

        def work() -> bytes | None:
            try:
                return self._system.cat_file(self._at(name))
            except FileNotFoundError:
                return None

        return self._keep_trying(name, work)

    def write(self, name: str, data: bytes) -> None:
        """Write an object; what was there is replaced."""

        def work() -> None:
            if not is_local(self._system):
                self._system.pipe_file(self._at(name), data)
                return
            target = Path(self._at(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            with files.placed(target) as partial:
                partial.write_bytes(data)

        self._keep_trying(name, work)

    def remove(self, name: str) -> None:
        """Remove an object, if there is one."""

        def work() -> None:
            try:
                self._system.rm_file(self._at(name))
            except FileNotFoundError:
                return

        self._keep_trying(name, work)

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder of this one, in order; none where there is no such folder."""

        def work() -> list[str]:
            self._system.invalidate_cache()
            try:
                return sorted(Path(found).name for found in self._system.find(self._at(folder)))
            except FileNotFoundError:
                return []

        return self._keep_trying(folder, work)

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def _keep_trying(self, name: str, work: Callable[[], Kept]) -> Kept:
        return self._patience.keep_trying(f"{self.url}/{name}", work, self._note)


def _is_passing(error: BaseException) -> bool:
    """Tell whether a store may have another answer a little later."""
    if isinstance(error, (TriptychClientError, *LASTING)) or type(error).__name__ in LASTING_NAMES:
        return False
    return isinstance(error, Exception)


def _words(error: BaseException | None) -> str:
    """Return in one line what is wrong, and what to do about it."""
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "there is nothing there"
    if isinstance(error, PermissionError) or type(error).__name__ in LASTING_NAMES:
        return f"the store lets nobody in with these credentials ({said}); see what its library reads them from"
    if isinstance(error, ImportError):
        return f"this kind of store needs another package: {said}"
    if isinstance(error, ValueError) and "rotocol not known" in said:
        return f"no store is known by that beginning ({said})"
    return f"the store does not answer as it should ({type(error).__name__}: {said})"
