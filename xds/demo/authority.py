"""A certificate authority for a demo or a test: its certificates are good for a day, and its key is nowhere kept.

Knows nothing about who shows the certificates to whom.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_GOOD_FOR = timedelta(days=1)
_CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        """Write both, each put in its place whole."""
        for path, content in ((key, self.key), (certificate, self.certificate)):
            put(path, content)


class Authority:
    """Signs certificates."""

    def __init__(self, name: str = "demo CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = (
            _begun(self._name, self._key.public_key())
            .issuer_name(self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, SHA256())
        )
        self.certificate = signed.public_bytes(Encoding.PEM)

    def issue(self, *sans: str) -> Pair:
        """A certificate for these SANs: URIs, IP addresses or DNS names, told apart by their looks."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = (
            _begun(x509.Name([]), key.public_key())
            .issuer_name(self._name)
            .add_extension(x509.SubjectAlternativeName([_to_name(san) for san in sans]), critical=True)
            .sign(self._key, SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Pair(signed.public_bytes(Encoding.PEM), private)


def put(path: Path, content: bytes) -> None:
    """Put a file in its place whole, by a rename: so those who follow it see the old one or the new."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)


def _begun(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_APART)
        .not_valid_after(now + _GOOD_FOR)
    )


def _to_name(san: str) -> x509.GeneralName:
    if "://" in san:
        return x509.UniformResourceIdentifier(san)
    try:
        return x509.IPAddress(ip_address(san))
    except ValueError:
        return x509.DNSName(san)
