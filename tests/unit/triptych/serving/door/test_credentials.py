"""Files of certificates and tokens, and what is said of those that will not do."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

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


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, Path]:
    """A certificate, its key, another's key, and what is no PEM file."""
    own, other = trustme.CA().issue_cert("127.0.0.1"), trustme.CA().issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("cert", "key", "other", "garbage")}
    own.cert_chain_pems[0].write_to_path(files["cert"])
    own.private_key_pem.write_to_path(files["key"])
    other.private_key_pem.write_to_path(files["other"])
    files["garbage"].write_text("no certificate")
    return files


def test_a_certificate_with_its_key_is_taken(pem: dict[str, Path]):
    assert Security(pem["cert"], pem["key"], pem["cert"]).credentials() is not None


@pytest.mark.parametrize(
    ("certificate", "key", "client_ca", "named"),
    [
        ("garbage", "key", None, r"garbage\.pem and .*key\.pem"),
        ("cert", "garbage", None, r"cert\.pem and .*garbage\.pem"),
        ("cert", "other", None, r"cert\.pem and .*other\.pem"),
        ("cert", "key", "garbage", r"^\S*garbage\.pem"),
    ],
)
def test_files_that_tls_cannot_use_are_named_with_what_they_must_be(
    pem: dict[str, Path], certificate: str, key: str, client_ca: str | None, named: str
):
    security = Security(pem[certificate], pem[key], pem[client_ca] if client_ca else None)
    with pytest.raises(TriptychError, match=rf"(?s){named} cannot be used for TLS.*PEM files, without a password"):
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
