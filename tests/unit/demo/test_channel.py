"""The files of a demo's xDS channel: who has which certificate, and what names the files."""

from pathlib import Path

import pytest
from cryptography import x509

from xds.demo.authority import Authority
from xds.demo.channel import Channel


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    return Channel(tmp_path / "tls", ["edge-a-1", "edge-b-1"])


def sans(file: str) -> list[str]:
    certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in extension.value]


def test_the_control_plane_is_the_loopback_address_and_each_envoy_its_node_id(channel: Channel) -> None:
    assert sans(channel.settings()["XDS_TLS_CERT_FILE"]) == ["127.0.0.1"]
    for node in ("edge-a-1", "edge-b-1"):
        options = channel.options(node)
        assert sans(options[options.index("--tls-cert") + 1]) == [node]


def test_every_file_is_there_but_those_that_bootstrap_writes(channel: Channel) -> None:
    options = channel.options("edge-a-1")
    named = dict(zip(options[::2], options[1::2], strict=True)) | channel.settings()

    assert {name for name, file in named.items() if not Path(file).is_file()} == {"--tls-secrets"}


def test_all_certificates_are_exchanged_in_their_places(channel: Channel) -> None:
    files = {*channel.settings().values(), *channel.options("edge-a-1")[1::2]}
    before = {file: Path(file).read_bytes() for file in files if Path(file).is_file()}
    channel.renew(Authority("next CA"))

    assert all(Path(file).read_bytes() != content for file, content in before.items())
    assert Path(channel.settings()["XDS_TLS_CLIENT_CA_FILE"]).read_bytes() == channel.authority.certificate
