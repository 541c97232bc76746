"""Real handshakes: who is let in, and certificates that are exchanged under open streams."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from tests.integration.server.ads import SECONDS, ControlPlane
from tests.integration.server.mtls import Disk, disk, protected, secure, served
from tests.support.edge import cell, tenant
from xds.demo.authority import Authority, Pair, put
from xds.errors import SettingsError
from xds.model import UpstreamProtocol
from xds.server import Certificates

Lines = Sequence[Mapping[str, Any]]


@pytest.fixture
def files(tmp_path: Path) -> Disk:
    return disk(tmp_path)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log lines of the test."""
    with capture_logs() as captured:
        yield captured


def of(lines: Lines, event: str) -> Lines:
    return [line for line in lines if line["event"] == event]


async def is_let_in(plane: ControlPlane, trusted: Authority, pair: Pair | None) -> bool:
    """Whether a client that shows this certificate gets as far as a call."""
    async with secure(plane.address, trusted, pair) as channel:
        call: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        code = await call(b"", timeout=SECONDS).code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    return code is grpc.StatusCode.OK


# Who is let in


async def test_a_client_with_a_certificate_of_the_ca_is_served(files: Disk) -> None:
    async with (
        protected(files) as plane,
        secure(plane.address, files.authority, files.authority.issue("edge-1")) as channel,
    ):
        await served(channel)
        assert plane.streams == 1


async def test_a_client_without_a_certificate_is_not_let_in(files: Disk) -> None:
    async with protected(files) as plane:
        assert not await is_let_in(plane, files.authority, None)


async def test_a_client_with_a_certificate_of_another_ca_is_not_let_in(files: Disk) -> None:
    async with protected(files) as plane:
        assert not await is_let_in(plane, files.authority, Authority().issue("edge-1"))


async def test_a_client_in_plain_text_is_not_let_in(files: Disk) -> None:
    async with protected(files) as plane, grpc.aio.insecure_channel(plane.address) as channel:
        call: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", timeout=SECONDS)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


# Certificates that are exchanged


async def test_a_new_certificate_drops_no_stream_and_counts_for_the_next_connection(files: Disk, lines: Lines) -> None:
    old, new = files.authority, Authority("next CA")
    async with protected(files) as plane, secure(plane.address, old, old.issue("edge-1")) as before:
        stream = await served(before)
        files.renew(new)

        async with secure(plane.address, new, new.issue("edge-2")) as after:
            await served(after, "edge-2")
        assert not await is_let_in(plane, new, old.issue("edge-1")), "the old CA is trusted no more"

        await plane.publish(cell(protocol=UpstreamProtocol.HTTP2), tenant())
        assert len((await stream.read()).resources) == 1, "the stream that was open goes on"
    (reloaded,) = of(lines, "certificates.reloaded")
    assert reloaded["files"] == [str(file) for file in files.files]


async def test_both_cas_in_one_file_let_the_clients_of_both_in(files: Disk) -> None:
    old, new = files.authority, Authority("next CA")
    async with protected(files) as plane:
        put(files.files.client_ca, old.certificate + new.certificate)

        assert await is_let_in(plane, old, old.issue("edge-1"))
        assert await is_let_in(plane, old, new.issue("edge-1"))


@pytest.mark.parametrize("which", ["certificate", "key", "client_ca"])
@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "another"])
async def test_a_bad_file_keeps_the_last_good_ones_and_is_told_once(
    files: Disk, lines: Lines, which: str, content: bytes | None
) -> None:
    good = {file: file.read_bytes() for file in files.files}
    other = Authority().issue("localhost")
    another = {"certificate": other.certificate, "key": other.key, "client_ca": b"-----BEGIN CERTIFICATE-----\nAA=="}
    bad = another[which] if content is None else content
    pair = files.authority.issue("edge-1")
    async with protected(files) as plane:
        put(getattr(files.files, which), bad)
        for _ in range(3):
            assert await is_let_in(plane, files.authority, pair)
        (complaint,) = of(lines, "certificates.not_reloaded")
        assert complaint["log_level"] == "error"
        assert complaint["error"].startswith(f"XDS_TLS_{'CLIENT_CA' if which == 'client_ca' else 'KEY'}_FILE: ")
        assert "PRIVATE KEY" not in complaint["error"]

        for file, was in good.items():
            put(file, was)
        assert await is_let_in(plane, files.authority, pair)
        assert len(of(lines, "certificates.reloaded")) == 1


async def test_a_file_that_is_gone_is_told_once_and_missed_by_nobody(files: Disk, lines: Lines) -> None:
    pair = files.authority.issue("edge-1")
    async with protected(files) as plane:
        files.files.key.unlink()
        for _ in range(3):
            assert await is_let_in(plane, files.authority, pair)
    (complaint,) = of(lines, "certificates.not_reloaded")
    assert complaint["error"] == f"XDS_TLS_KEY_FILE: cannot read {files.files.key}: No such file or directory"


async def test_files_behind_a_link_that_is_moved_are_new_ones(tmp_path: Path) -> None:
    old, new = tmp_path / "1", tmp_path / "2"
    for folder in (old, new):
        folder.mkdir()
    (tmp_path / "now").symlink_to(old)
    first, second = disk(old), disk(new)
    files = disk(tmp_path / "now")
    first.authority = files.authority
    async with protected(files) as plane:
        assert await is_let_in(plane, first.authority, first.authority.issue("edge-1"))
        (tmp_path / "fresh").symlink_to(new)
        (tmp_path / "fresh").rename(tmp_path / "now")
        assert await is_let_in(plane, second.authority, second.authority.issue("edge-1"))


# At the start


@pytest.mark.parametrize(
    ("which", "content", "fault"),
    [
        ("certificate", None, "XDS_TLS_CERT_FILE: cannot read {path}: No such file or directory"),
        ("key", None, "XDS_TLS_KEY_FILE: cannot read {path}: No such file or directory"),
        ("client_ca", None, "XDS_TLS_CLIENT_CA_FILE: cannot read {path}: No such file or directory"),
        (
            "key",
            Authority().issue("x").key,
            "XDS_TLS_KEY_FILE: {path} is not the key, in PEM and without a password, of",
        ),
        ("client_ca", b"", "XDS_TLS_CLIENT_CA_FILE: {path} holds no certificate in PEM"),
    ],
)
def test_files_that_are_no_use_are_refused_by_the_name_of_the_variable(
    files: Disk, which: str, content: bytes | None, fault: str
) -> None:
    path: Path = getattr(files.files, which)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="^" + re.escape(fault.format(path=path))) as refused:
        Certificates(files.files).credentials()
    assert "\n" not in str(refused.value)
