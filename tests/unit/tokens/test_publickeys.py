"""What is a public key, and what it is used with."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from xds.tokens.publickeys import RSA_ALGORITHMS, read_jwks

P256 = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
RSA = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)


def jwks(*keys: object) -> str:
    return json.dumps({"keys": keys})


def test_a_curve_has_one_algorithm_and_an_rsa_key_the_one_that_it_names_or_any() -> None:
    keys = read_jwks(jwks(P256, RSA, RSA | {"alg": "PS512"}))
    assert [key.algorithms for key in keys] == [("ES256",), RSA_ALGORITHMS, ("PS512",)]


@pytest.mark.parametrize(
    "unusable",
    [
        "no object",
        {},
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        P256 | {"alg": "ES384"},
        P256 | {"alg": "none"},
        P256 | {"crv": "secp256k1"},
        P256 | {"x": "AA"},
        {"kty": "RSA", "alg": "HS256", "n": RSA["n"], "e": RSA["e"]},
        {"kty": "RSA", "e": RSA["e"]},
        {"kty": "RSA", "n": 7, "e": RSA["e"]},
    ],
)
def test_what_can_not_be_used_is_left_out_and_the_rest_is_kept(unusable: object) -> None:
    assert [key.algorithms for key in read_jwks(jwks(unusable, P256))] == [("ES256",)]


@pytest.mark.parametrize("text", ["{}", "[]", '{"keys": {}}', "x", ""])
def test_what_is_no_jwks_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)^expect"):
        read_jwks(text)


def test_a_private_key_is_read_as_its_public_half() -> None:
    private = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    (key,) = read_jwks(jwks(private))
    assert isinstance(key.key, ec.EllipticCurvePublicKey)


def test_a_key_id_is_asked_for_only_where_both_have_one() -> None:
    named, unnamed = read_jwks(jwks(P256 | {"kid": "a"}, P256))
    assert [named.is_meant("ES256", key_id) for key_id in ("a", "b", None, "")] == [True, False, True, True]
    assert unnamed.is_meant("ES256", "b")
    assert not named.is_meant("RS256", "a")
    assert not named.is_meant(None, "a")
