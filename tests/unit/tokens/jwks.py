"""Public keys as an issuer publishes them."""

import base64
import json
from typing import Any


def rsa(key_id: str = "1", *, bits: int = 2048, **members: Any) -> dict[str, Any]:
    """An RSA key; its modulus is no product of primes, which nobody here can tell."""
    modulus = ((1 << (bits - 1)) + sum(key_id.encode())).to_bytes((bits + 7) // 8)
    return {"kty": "RSA", "n": encoded(modulus), "e": "AQAB", "kid": key_id, **members}


def curve(name: str = "P-256", size: int = 32, **members: Any) -> dict[str, Any]:
    """An elliptic curve's key, of coordinates that are on no curve."""
    return {"kty": "EC", "crv": name, "x": encoded(b"x" * size), "y": encoded(b"y" * size), **members}


def jwks(*keys: object) -> bytes:
    """A JWKS of these."""
    return json.dumps({"keys": keys}).encode()


def encoded(data: bytes) -> str:
    """In base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
