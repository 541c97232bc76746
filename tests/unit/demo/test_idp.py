"""Tokens and the JWKS that they are checked with."""

import json
import time

import jwt
import pytest

from xds.demo.idp import AUDIENCE, ISSUER, IdentityProvider


@pytest.fixture(scope="module")
def idp() -> IdentityProvider:
    return IdentityProvider()


def verified(idp: IdentityProvider, token: str) -> dict[str, object]:
    keys = jwt.PyJWKSet.from_json(idp.jwks())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, object] = jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
    return claims


def test_a_token_verifies_and_names_the_tenant(idp: IdentityProvider) -> None:
    claims = verified(idp, idp.mint("acme"))
    assert claims["tenant_id"] == "acme"
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "tenant_id"}
    assert isinstance(claims["exp"], int)
    assert 3500 < claims["exp"] - time.time() <= 3600


def test_a_token_can_be_bound_to_a_cell_and_carry_more(idp: IdentityProvider) -> None:
    claims = verified(idp, idp.mint("acme", cell="cell-a", scope="read"))
    assert (claims["cell"], claims["scope"]) == ("cell-a", "read")


def test_the_jwks_holds_only_public_parts(idp: IdentityProvider) -> None:
    (key,) = json.loads(idp.jwks())["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}


def test_an_expired_token_is_expired_and_nothing_else(idp: IdentityProvider) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        verified(idp, idp.mint("acme", expires_in=-3600))


def test_a_forged_token_claims_the_known_key_and_fails_only_by_its_signature(idp: IdentityProvider) -> None:
    forged = idp.mint("acme", forged=True)
    assert jwt.get_unverified_header(forged) == jwt.get_unverified_header(idp.mint("acme"))
    with pytest.raises(jwt.InvalidSignatureError):
        verified(idp, forged)


def test_issuer_and_audience_can_be_others(idp: IdentityProvider) -> None:
    with pytest.raises(jwt.InvalidIssuerError):
        verified(idp, idp.mint("acme", issuer="https://elsewhere.example"))
    with pytest.raises(jwt.InvalidAudienceError):
        verified(idp, idp.mint("acme", audience="elsewhere"))


def test_two_providers_share_no_key(idp: IdentityProvider) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        verified(idp, IdentityProvider().mint("acme"))
