"""Tokens of our own: what they say, who verifies them, and that their keys stay with us."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from xds.names import CellId, KeyId, TenantId
from xds.tokens import Signer, SigningKey, Verified, Verifier, read_signing_key
from xds.tokens.publickeys import read_jwks

NOW = 1_800_000_000.9


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


def new_key() -> SigningKey:
    return read_signing_key(pem(ec.generate_private_key(ec.SECP256R1())))


def signer(*keys: SigningKey, audiences: tuple[str, ...] = ("api",), tenant_claim: str = "tenant_id") -> Signer:
    return Signer(
        keys,
        issuer="https://ours",
        audiences=audiences,
        life_seconds=300,
        tenant_claim=tenant_claim,
        cell_claim="cell",
    )


def issue(by: Signer, *, until: float = NOW + 9999, cell: CellId | None = None) -> tuple[str, int]:
    issued = by.issue(TenantId("acme"), KeyId("k1"), now=NOW, until=until, cell=cell)
    return issued.token, issued.expires_in


def verified(by: Signer, token: str) -> Verified:
    outcome = Verifier([by.issuer]).verify(token, NOW)
    assert isinstance(outcome, Verified), outcome
    return outcome


def test_a_token_says_who_for_whom_and_how_long() -> None:
    ours = signer(new_key())
    token, expires_in = issue(ours)
    outcome = verified(ours, token)
    assert expires_in == 300
    assert outcome.claims == {
        "iss": "https://ours",
        "aud": "api",
        "sub": "k1",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "tenant_id": "acme",
    }
    assert outcome.cell is None


def test_a_token_is_bound_to_a_cell_if_one_is_named() -> None:
    ours = signer(new_key())
    assert verified(ours, issue(ours, cell=CellId("cell-a"))[0]).cell == "cell-a"


def test_a_token_ends_with_the_key_that_it_was_given_for() -> None:
    ours = signer(new_key())
    token, expires_in = issue(ours, until=NOW + 20)
    assert expires_in == 20
    assert verified(ours, token).claims["exp"] == int(NOW) + 20


def test_claims_in_objects_and_several_audiences() -> None:
    ours = signer(new_key(), audiences=("a", "b"), tenant_claim="org.tenant.id")
    outcome = verified(ours, issue(ours)[0])
    assert outcome.tenant == "acme"
    assert outcome.claims["aud"] == ["a", "b"]


def test_the_first_key_signs_and_all_verify() -> None:
    old, new = new_key(), new_key()
    by_old = issue(signer(old, new))[0]
    assert verified(signer(new, old), by_old).tenant == "acme"
    assert not isinstance(Verifier([signer(new).issuer]).verify(by_old, NOW), Verified)
    assert [key.key_id for key in read_jwks(signer(new, old).jwks)] == [new.key_id, old.key_id]


def test_the_jwks_and_what_is_shown_of_a_key_hold_nothing_private() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = read_signing_key(pem(private))
    ours = signer(key)
    assert [set(each) for each in json.loads(ours.jwks)["keys"]] == [{"kty", "crv", "x", "y", "alg", "use", "kid"}]
    assert "private" not in repr(key)
    issued = ours.issue(TenantId("acme"), KeyId("k1"), now=NOW, until=NOW + 1)
    assert issued.token not in repr(issued)


@pytest.mark.parametrize(
    "unusable",
    [
        b"",
        b"secret-text",
        pem(rsa.generate_private_key(65537, 2048)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"secret-text")),
    ],
)
def test_what_is_no_key_of_ours_is_refused_without_being_quoted(unusable: bytes) -> None:
    with pytest.raises(ValueError, match=r"^expected the PEM of a P-256 private key without a passphrase$"):
        read_signing_key(unusable)


def test_a_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    key = read_signing_key(pem(ec.derive_private_key(1, ec.SECP256R1())))
    # The curve's base point, members in the RFC's order, no space.
    point = '"x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"'
    hashed = sha256(f'{{"crv":"P-256","kty":"EC",{point}}}'.encode()).digest()
    assert key.key_id == urlsafe_b64encode(hashed).decode().rstrip("=")
