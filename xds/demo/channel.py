"""The certificates of a demo's xDS channel, in a folder: the control plane's, each Envoy's, and the CA of them all.

Knows where the files are and who reads them, nothing of how.
"""

from collections.abc import Iterable
from pathlib import Path

from xds.demo.authority import Authority, put
from xds.demo.ports import LOOPBACK


class Channel:
    """The files; `renew` exchanges all of them.

    Args:
        folder: Where they are, and where each Envoy's folder of secrets is to be.
        nodes: The node ids of the Envoys.
    """

    def __init__(self, folder: Path, nodes: Iterable[str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._nodes = tuple(nodes)
        self.renew(Authority())

    def renew(self, authority: Authority) -> None:
        """Put certificates of this authority in the place of all that are there, and no other is trusted any more."""
        self.authority = authority
        put(self._folder / "ca.pem", authority.certificate)
        authority.issue(LOOPBACK).write(*self._pair("control-plane"))
        for node in self._nodes:
            authority.issue(node).write(*self._pair(node))

    def settings(self) -> dict[str, str]:
        """The control plane's settings. With no rules, each Envoy's certificate is good for its own node id."""
        certificate, key = self._pair("control-plane")
        return {
            "XDS_TLS_CERT_FILE": str(certificate),
            "XDS_TLS_KEY_FILE": str(key),
            "XDS_TLS_CLIENT_CA_FILE": str(self._folder / "ca.pem"),
        }

    def options(self, node: str) -> tuple[str, ...]:
        """What an Envoy's bootstrap is to be printed with."""
        certificate, key = self._pair(node)
        files = {
            "--tls-ca": self._folder / "ca.pem",
            "--tls-cert": certificate,
            "--tls-key": key,
            "--tls-secrets": self._folder / f"{node}-secrets",
        }
        return tuple(str(each) for option in files.items() for each in option)

    def _pair(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"
