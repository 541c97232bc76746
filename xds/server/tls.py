"""The server's side of TLS: the certificate, its key and the clients' CA, followed on disk.

A change is taken up by the next handshake; the connections that are open, and their streams, go on as they are.
Must not know what a client may do.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc

from xds.errors import SettingsError
from xds.identities import Access
from xds.settingvalues import TlsFiles
from xds.telemetry import get_logger

_Stamp: TypeAlias = tuple[tuple[int, int, int], ...]


class Certificates:
    """The files, read anew when one of them has changed."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._log = get_logger()
        self._seen: _Stamp = ()
        self._fault = ""

    def credentials(self) -> Any:  # noqa: ANN401 -- grpc has no types
        """What gRPC listens with: every client must show a certificate. Raises `SettingsError` on unusable files."""
        self._seen = _stamp(self._files)
        return grpc.dynamic_ssl_server_credentials(
            _read(self._files), self._renewed, require_client_authentication=True
        )

    def _renewed(self) -> Any | None:  # noqa: ANN401
        """The files' new content; None if the last good one stays.

        gRPC calls it before every handshake, in a thread of its own, one call at a time.
        """
        try:
            stamp = _stamp(self._files)
            if stamp == self._seen:
                return None
            self._seen = stamp  # before they are read: what changes meanwhile is read once more
            config = _read(self._files)
        except SettingsError as error:
            self._complain(str(error))
            return None
        self._fault = ""
        self._log.info("certificates.reloaded", files=[str(file) for file in self._files])
        return config

    def _complain(self, fault: str) -> None:
        """Once a fault, not once a handshake."""
        if fault != self._fault:
            self._log.error("certificates.not_reloaded", error=fault)
        self._fault = fault


@dataclass(frozen=True, slots=True)
class Tls:
    """A channel with certificates, and what those of the clients are good for."""

    certificates: Certificates
    access: Access


def _stamp(files: TlsFiles) -> _Stamp:
    """Different once a file has been written, or another was put in its place, be it behind a symbolic link."""
    stats = []
    for variable, path in _named(files):
        with _readable(variable, path):
            stats.append(path.stat())
    return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)


def _read(files: TlsFiles) -> Any:  # noqa: ANN401
    """The files as gRPC wants them; gRPC itself would say no more of a bad one than that it cannot listen."""
    contents = []
    for variable, path in _named(files):
        with _readable(variable, path):
            contents.append(path.read_bytes())
    certificate, key, client_ca = contents
    _check(files)
    return grpc.ssl_server_certificate_configuration([(key, certificate)], root_certificates=client_ca)


def _check(files: TlsFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password="")  # with none it would ask the terminal
    except (OSError, ValueError) as error:
        text = f"{files.key} is not the key, in PEM and without a password, of {files.certificate}"
        raise SettingsError((f"XDS_TLS_KEY_FILE: {text}: {error}",)) from None
    try:
        context.load_verify_locations(files.client_ca)
    except (OSError, ValueError) as error:
        text = f"XDS_TLS_CLIENT_CA_FILE: {files.client_ca} holds no certificate in PEM: {error}"
        raise SettingsError((text,)) from None


def _named(files: TlsFiles) -> Iterator[tuple[str, Path]]:
    variables = ("XDS_TLS_CERT_FILE", "XDS_TLS_KEY_FILE", "XDS_TLS_CLIENT_CA_FILE")
    return zip(variables, files, strict=True)


@contextmanager
def _readable(variable: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError((f"{variable}: cannot read {path}: {os.strerror(error.errno or 0)}",)) from None
