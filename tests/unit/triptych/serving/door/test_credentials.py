"""Files of certificates and tokens, and what is said of those that will not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.errors import TriptychError
from triptych.serving.door.credentials import Security


def test_without_files_there_is_neither_tls_nor_a_token():
    security = Security()
    assert security.credentials() is None
    assert security.token() is None


def test_a_certificate_without_its_key_is_refused(tmp_path: Path):
    with pytest.raises(TriptychError, match="both --tls-certificate and --tls-key"):
        Security(certificate=tmp_path / "cert.pem")


def test_asking_clients_for_certificates_needs_tls(tmp_path: Path):
    with pytest.raises(TriptychError, match="--tls-client-ca asks clients"):
        Security(client_ca=tmp_path / "ca.pem")


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    security = Security(certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    with pytest.raises(TriptychError, match=r"cannot read .*key\.pem: No such file"):
        security.credentials()


def test_a_token_is_the_file_s_text_without_its_line_end(tmp_path: Path):
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert Security(token_file=tmp_path / "token").token() == "0123456789abcdef"


@pytest.mark.parametrize("token", ["", "short", "0123456789 abcdef", "0123456789abcdé0123", "0123456789abcdef\x07"])
def test_a_token_that_is_no_secret_or_cannot_be_sent_is_refused_unseen(tmp_path: Path, token: str):
    (tmp_path / "token").write_text(token, encoding="utf-8")
    with pytest.raises(TriptychError, match="openssl rand -hex 32") as refused:
        Security(token_file=tmp_path / "token").token()
    assert not token or token not in str(refused.value)
