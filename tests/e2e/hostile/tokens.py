"""Tokens that the demo's identity provider would mint, and such that it never would.

Knows nothing about which of them are good.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import TypeAlias

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from xds.demo.idp import IdentityProvider

Claims: TypeAlias = Mapping[str, object]

SUBJECT = "user@acme"
"""Whom every token names that does not say otherwise."""

LEFT_OUT = ...
"""The value of a claim that a token does not have."""


class Forger:
    """Has the identity provider's key, and a forger's."""

    def __init__(self, idp: IdentityProvider) -> None:
        self.idp = idp
        self._key: rsa.RSAPrivateKey = idp._keys[idp.key_id]
        self._other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._curve_key = ec.generate_private_key(ec.SECP256R1())

    def claims(self, **claims: object) -> dict[str, object]:
        """Acme's claims, but for these."""
        now = int(time.time())
        usual: dict[str, object] = {
            "iss": self.idp.issuer,
            "aud": self.idp.audience,
            "sub": SUBJECT,
            "iat": now - 5,
            "exp": now + 3600,
            "tenant_id": "acme",
        }
        return {name: value for name, value in {**usual, **claims}.items() if value is not LEFT_OUT}

    def token(self, **claims: object) -> str:
        """Signed as it should be."""
        return self.signed(self.claims(**claims))

    def signed(self, claims: Claims, **header: object) -> str:
        """Signed as it should be, under a header that may differ."""
        return _joined({"alg": "RS256", "kid": self.idp.key_id, "typ": "JWT", **header}, claims, self._sign)

    def of_time(self, *, issued: float, expires: float, **claims: object) -> str:
        """Good from and to so many seconds from now."""
        now = int(time.time())
        return self.token(iat=now + int(issued), nbf=now + int(issued), exp=now + int(expires), **claims)

    def by_another_key(self, *, key_id: str | None = None) -> str:
        """Signed with a key that is nobody's, under the key id of the provider's."""
        header = {"kid": key_id or self.idp.key_id}
        return jwt.encode(self.claims(), self._other_key, algorithm="RS256", headers=header)

    def by_another_algorithm(self) -> str:
        """Signed with an elliptic curve's key, under the key id of the RSA key."""
        return jwt.encode(self.claims(), self._curve_key, algorithm="ES256", headers={"kid": self.idp.key_id})

    def by_the_public_key(self, *, algorithm: str = "HS256") -> str:
        """Signed with an HMAC whose secret is the provider's public key: RFC 8725, section 2.1, key confusion."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        header = {"alg": algorithm, "kid": self.idp.key_id}
        return _joined(header, self.claims(), lambda text: hmac.new(public, text, hashlib.sha256).digest())

    def unsigned(self, algorithm: str = "none") -> str:
        """Without a signature."""
        return _joined({"alg": algorithm, "kid": self.idp.key_id}, self.claims(), lambda _: b"")

    def with_its_own_key(self) -> str:
        """Signed with a key that its own header brings along."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._other_key.public_key(), as_dict=True)
        return jwt.encode(
            self.claims(), self._other_key, algorithm="RS256", headers={"kid": self.idp.key_id, "jwk": key}
        )

    def changed(self, **claims: object) -> str:
        """Signed as it should be, its claims exchanged afterwards."""
        header, _, signature = self.token().split(".")
        return f"{header}.{_encoded(json.dumps(self.claims(**claims)).encode())}.{signature}"

    def _sign(self, text: bytes) -> bytes:
        signed = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(text, self._key)
        return bytes(signed)


def _joined(header: Claims, claims: Claims, sign: "object") -> str:
    assert callable(sign)
    text = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
    return f"{text}.{_encoded(sign(text.encode()))}"


def _encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
