"""A demo identity provider: RSA keys, tokens signed with the newest, and their public halves as a JWKS.

A private key is never written anywhere. Knows nothing about who checks the tokens.
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
        """The key that tokens are signed with."""
        self._keys = {key_id: _new_key()}
        self._forgers_key = _new_key()

    def jwks(self) -> str:
        """The public keys, as JSON text."""
        return json.dumps({"keys": [_public(key_id, key) for key_id, key in self._keys.items()]})

    def publish_key(self, key_id: str) -> None:
        """Have one more key in the JWKS; nothing is signed with it yet."""
        self._keys[key_id] = _new_key()

    def withdraw_key(self, key_id: str) -> rsa.RSAPrivateKey:
        """Have a key in the JWKS no more; gives it to whoever may still use it."""
        return self._keys.pop(key_id)

    def public_key(self) -> rsa.RSAPublicKey:
        """The one that tokens are checked with now."""
        return self._keys[self.key_id].public_key()

    def mint(
        self,
        tenant: str,
        *,
        cell: str | None = None,
        expires_in: float = 3600,
        issuer: str | None = None,
        audience: str | None = None,
        forged: bool = False,
        **claims: object,
    ) -> str:
        """A token for `tenant`, bound to `cell` if one is named.

        Args:
            tenant: The claim `tenant_id`.
            cell: The claim `cell`.
            expires_in: Seconds from now; negative for a token that has expired.
            issuer: Another `iss` than ours.
            audience: Another `aud` than ours.
            forged: Sign with a key that the JWKS does not hold, under the key id that it does.
            claims: Further claims, which win over all others; `...` takes one away.
        """
        now = int(time.time())
        payload: dict[str, object] = {
            "iss": issuer or self.issuer,
            "aud": audience or self.audience,
            "sub": f"user@{tenant}",
            "iat": min(now, int(now + expires_in) - 1),
            "exp": int(now + expires_in),
            "tenant_id": tenant,
        }
        if cell is not None:
            payload["cell"] = cell
        key = self._forgers_key if forged else self._keys[self.key_id]
        said = {name: value for name, value in {**payload, **claims}.items() if value is not ...}
        return jwt.encode(said, key, algorithm="RS256", headers={"kid": self.key_id})


def _public(key_id: str, key: rsa.RSAPrivateKey) -> dict[str, str]:
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {
        "kty": public["kty"],
        "n": public["n"],
        "e": public["e"],
        "kid": key_id,
        "alg": "RS256",
        "use": "sig",
    }


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
