"""Which signatures a public key can be checked with (RFC 7518, section 3; RFC 8037).

Pure. There is no `none` here, and no HMAC: with that, whoever knows a public key could sign.
"""

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""All that an Envoy can check and that keeps what signs apart from what checks."""

DEFAULT_ALGORITHMS = ("RS256", "ES256")

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: Mapping[tuple[str, str], tuple[str, int]] = MappingProxyType(
    {
        ("EC", "P-256"): ("ES256", 32),
        ("EC", "P-384"): ("ES384", 48),
        ("EC", "P-521"): ("ES512", 66),
        ("OKP", "Ed25519"): ("EdDSA", 32),
    }
)
"""By type and curve: the algorithm, and how many bytes a coordinate has."""

_LEAST_RSA_BITS = 2048
"""RFC 7518, section 3.3."""


def material(jwk: Mapping[str, object]) -> dict[str, str]:
    """The members that make up the public key, and none else; raises ValueError with what is wrong with them."""
    kind = jwk.get("kty")
    if kind == "RSA":
        modulus = int.from_bytes(_decoded(jwk, "n"))
        _decoded(jwk, "e")
        if modulus.bit_length() < _LEAST_RSA_BITS:
            raise ValueError(f"RSA of {modulus.bit_length()} bits; expected {_LEAST_RSA_BITS} or more")
        return _members(jwk, "kty", "n", "e")
    _, size = _curve(jwk)
    coordinates = ("x", "y") if kind == "EC" else ("x",)
    for name in coordinates:
        if len(_decoded(jwk, name)) != size:
            raise ValueError(f"{name!r} has another length than {size} bytes")
    return _members(jwk, "kty", "crv", *coordinates)


def algorithms_of(jwk: Mapping[str, object]) -> tuple[str, ...]:
    """Which algorithms a key of this type can be used with; raises ValueError if there is none."""
    return _RSA if jwk.get("kty") == "RSA" else (_curve(jwk)[0],)


def _curve(jwk: Mapping[str, object]) -> tuple[str, int]:
    found = _CURVES.get((str(jwk.get("kty")), str(jwk.get("crv"))))
    if found is None:
        raise ValueError(f"type {str(jwk.get('kty'))[:20]!r}, curve {str(jwk.get('crv'))[:20]!r}: not supported")
    return found


def _decoded(jwk: Mapping[str, object], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name!r} is missing")
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError(f"{name!r} is not in base64url") from None


def _members(jwk: Mapping[str, object], *names: str) -> dict[str, str]:
    return {name: str(jwk[name]) for name in names}
