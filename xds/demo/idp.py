"""A demo identity provider: one RSA key, tokens signed with it, and its public half as a JWKS.

The private key is never written anywhere. Knows nothing about who checks the tokens.
"""

import json
import time
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER: Final = "https://idp.demo.alpha-swarm.example"
AUDIENCE: Final = "alphaswarm-demo"


class IdentityProvider:
    """Mints tokens for tenants."""

    def __init__(self, *, issuer: str = ISSUER, audience: str = AUDIENCE, key_id: str = "demo-1") -> None:
        self.issuer = issuer
        self.audience = audience
        self.key_id = key_id
        self._key = _new_key()
        self._forgers_key = _new_key()

    def jwks(self) -> str:
        """The public key, as JSON text."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        public = {"kty": key["kty"], "n": key["n"], "e": key["e"]}
        return json.dumps({"keys": [{**public, "kid": self.key_id, "alg": "RS256", "use": "sig"}]})

    def mint(
        self,
        tenant: str,
        *,
        cell: str | None = None,
        expires_in: float = 3600,
        issuer: str | None = None,
        audience: str | None = None,
        forged: bool = False,
        **claims: str,
    ) -> str:
        """A token for `tenant`, bound to `cell` if one is named.

        Args:
            tenant: The claim `tenant_id`.
            cell: The claim `cell`.
            expires_in: Seconds from now; negative for a token that has expired.
            issuer: Another `iss` than ours.
            audience: Another `aud` than ours.
            forged: Sign with a key that the JWKS does not hold, under the key id that it does.
            claims: Further claims, which win over all others.
        """
        now = int(time.time())
        payload: dict[str, str | int] = {
            "iss": issuer or self.issuer,
            "aud": audience or self.audience,
            "sub": f"user@{tenant}",
            "iat": min(now, int(now + expires_in) - 1),
            "exp": int(now + expires_in),
            "tenant_id": tenant,
        }
        if cell is not None:
            payload["cell"] = cell
        key = self._forgers_key if forged else self._key
        return jwt.encode({**payload, **claims}, key, algorithm="RS256", headers={"kid": self.key_id})


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
