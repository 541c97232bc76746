"""Tokens of our own: short-lived, signed with a key of ours, in the form of the identity provider's.

Pure: the time is an argument. Must not know who is given a token.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm

from xds.names import CellId, KeyId, TenantId
from xds.tokens.claims import claim_path
from xds.tokens.verifier import TrustedIssuer

_ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key and its public half as a JWK, whose `kid` is its thumbprint (RFC 7638)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    public: dict[str, str]

    @property
    def key_id(self) -> str:
        """The `kid`."""
        return self.public["kid"]


@dataclass(frozen=True, slots=True)
class Issued:
    """A token and the seconds that it lives."""

    token: str = field(repr=False)
    expires_in: int


def read_signing_key(pem: bytes) -> SigningKey:
    """A key from its PEM; raises ValueError, which doesn't quote it."""
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise ValueError("expected the PEM of a P-256 private key without a passphrase")  # noqa: TRY004 -- of the text
    jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    required = {name: str(jwk[name]) for name in ("crv", "kty", "x", "y")}
    print_ = sha256(json.dumps(required, separators=(",", ":"), sort_keys=True).encode()).digest()
    key_id = urlsafe_b64encode(print_).rstrip(b"=").decode()
    return SigningKey(private=private, public={**required, "alg": _ALGORITHM, "use": "sig", "kid": key_id})


class Signer:
    """Signs with the first of `keys`; all of them verify, so that a key can be exchanged for another."""

    def __init__(
        self,
        keys: Sequence[SigningKey],
        *,
        issuer: str,
        audiences: tuple[str, ...],
        life_seconds: int,
        tenant_claim: str,
        cell_claim: str,
        clock_skew_seconds: int = 60,
    ) -> None:
        self._key = keys[0]
        self._life = life_seconds
        self.jwks = json.dumps({"keys": [key.public for key in keys]})
        """The public keys, as JSON text."""
        self.issuer = TrustedIssuer(
            issuer=issuer,
            audiences=audiences,
            jwks=self.jwks,
            tenant_claim=tenant_claim,
            cell_claim=cell_claim,
            clock_skew_seconds=clock_skew_seconds,
        )
        """What whoever checks these tokens has to know."""

    def issue(
        self, tenant: TenantId, subject: KeyId, *, now: float, until: float, cell: CellId | None = None
    ) -> Issued:
        """A token for `tenant`, bound to `cell` if one is named, that does not outlive `until`."""
        begin = int(now)
        end = min(begin + self._life, int(until))
        audiences = self.issuer.audiences
        claims: dict[str, object] = {
            "iss": self.issuer.issuer,
            "aud": audiences[0] if len(audiences) == 1 else list(audiences),
            "sub": subject,
            "iat": begin,
            "exp": end,
        }
        _put(claims, self.issuer.tenant_claim, tenant)
        if cell is not None:
            _put(claims, self.issuer.cell_claim, cell)
        headers = {"kid": self._key.key_id}
        return Issued(jwt.encode(claims, self._key.private, algorithm=_ALGORITHM, headers=headers), end - begin)


def _put(claims: dict[str, object], name: str, value: str) -> None:
    """Set a claim, where Envoy will look for it."""
    *outer, last = claim_path(name)
    for key in outer:
        inner = claims.setdefault(key, {})
        assert isinstance(inner, dict)  # the claims' names are settings, and don't name what we have set already
        claims = inner
    claims[last] = value
