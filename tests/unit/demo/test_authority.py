"""Certificates that a real TLS library takes, each for the names that it was asked for."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from xds.demo.authority import Authority, put


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "a.pem", tmp_path / "a.key"


def test_each_san_is_of_the_kind_that_it_looks_like() -> None:
    pair = Authority().issue("spiffe://x/edge", "edge-1", "10.0.0.1", "::1")
    sans = x509.load_pem_x509_certificate(pair.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )

    assert sans.value.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://x/edge"]
    assert sans.value.get_values_for_type(x509.DNSName) == ["edge-1"]
    assert [str(each) for each in sans.value.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "::1"]


def test_a_certificate_and_its_key_belong_together(files: tuple[Path, Path]) -> None:
    authority = Authority()
    authority.issue("edge-1").write(*files)
    context = ssl.create_default_context(cadata=authority.certificate.decode())

    context.load_cert_chain(*files)
    assert len(context.get_ca_certs()) == 1


def test_no_two_certificates_share_a_key() -> None:
    authority = Authority()

    assert authority.issue("edge-1").key != authority.issue("edge-1").key


def test_a_file_is_put_in_its_place_by_a_rename_and_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "a.key"
    put(file, b"old")
    with file.open("rb") as held:
        put(file, b"new")

        assert held.read() == b"old"
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [file]
