"""The command `triptych` within a test."""

from __future__ import annotations

import sys

import pytest

from triptych_client import cli


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `triptych` with arguments and return its exit code."""
    monkeypatch.delenv("TRIPTYCH_TOKEN", raising=False)
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")  # the command sets it so; here it goes with the test
    monkeypatch.setattr(sys, "argv", ["triptych", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)
