"""The public keys of an issuer, out of its JWKS.

Only what can verify without being able to sign: a symmetric key is no public key, and `none` is no algorithm.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from jwt.algorithms import AllowedKeys, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")

_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_READERS = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """One key, and the algorithms that it is for. An empty `key_id` is any."""

    key_id: str
    algorithms: tuple[str, ...]
    key: AllowedKeys

    def is_meant(self, algorithm: object, key_id: object) -> bool:
        """Whether a token with this header is to be tried with the key; one without a key id is tried with all."""
        return algorithm in self.algorithms and (not key_id or not self.key_id or key_id == self.key_id)

    def has_signed(self, signed: bytes, signature: bytes, algorithm: str) -> bool:
        """Whether the signature is the key's."""
        return bool(jwt.get_algorithm_by_name(algorithm).verify(signed, self.key, signature))


def read_jwks(text: str) -> tuple[PublicKey, ...]:
    """The public keys in a JWKS; those of no use are left out, as in Envoy. Raises ValueError for no JWKS."""
    document = json.loads(text)
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError('expected a JWKS: JSON with "keys"')  # noqa: TRY004 -- of the text
    return tuple(key for key in map(_read, keys) if key is not None)


def _read(jwk: object) -> PublicKey | None:
    if not isinstance(jwk, Mapping):
        return None
    algorithms = _algorithms(jwk)
    public = {name: value for name, value in jwk.items() if name != "d"}  # the private half is none of our business
    try:
        key = _READERS[str(jwk.get("kty"))](public) if algorithms else None
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return PublicKey(key_id=str(jwk.get("kid", "")), algorithms=algorithms, key=key) if key else None


def _algorithms(jwk: Mapping[str, object]) -> tuple[str, ...]:
    """What the key may be used with: a curve has one algorithm, an RSA key the one that it names, or any."""
    kind, named = jwk.get("kty"), jwk.get("alg")
    possible: tuple[str, ...] = RSA_ALGORITHMS if kind == "RSA" else ()
    if kind in ("EC", "OKP"):
        possible = tuple(filter(None, (_OF_CURVE.get(str(jwk.get("crv"))),)))
    return tuple(each for each in possible if named in (None, "", each))
