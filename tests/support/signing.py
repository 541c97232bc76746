"""Signing keys in files, as XDS_SIGNING_KEY_FILES names them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def write_key(file: Path) -> Path:
    """A new key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


def secret_lines(file: Path) -> list[str]:
    """The lines of a PEM that nobody else may see."""
    return [line for line in file.read_text().splitlines() if line and not line.startswith("-----")]
