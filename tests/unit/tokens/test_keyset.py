import json
from typing import Any

import pytest

from tests.unit.tokens.jwks import curve, jwks, rsa
from xds.errors import KeysUnusable
from xds.tokens.algorithms import DEFAULT_ALGORITHMS
from xds.tokens.keyset import KeySet, parse_jwks

A, B, C = (frozenset({each}) for each in "ABC")


def parsed(*keys: object, algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS) -> list[dict[str, Any]]:
    """The keys that are used, read again."""
    return [json.loads(each) for each in sorted(parse_jwks(jwks(*keys), algorithms))]


# What of a JWKS is used


def test_a_key_is_handed_on_with_its_public_members_and_one_algorithm() -> None:
    key = rsa("k", alg="RS256", use="sig", x5c=["certificate"], x5t="t")

    assert parsed(key) == [
        {"kty": "RSA", "n": key["n"], "e": "AQAB", "kid": "k", "alg": "RS256", "use": "sig"},
    ]


def test_a_key_that_leaves_its_algorithm_open_is_one_for_each_that_is_allowed() -> None:
    held = parsed(rsa(), curve(), algorithms=("RS256", "PS256", "ES256"))

    assert sorted(each["alg"] for each in held) == ["ES256", "PS256", "RS256"]


def test_equal_keys_are_equal_texts_whatever_their_members_order() -> None:
    key = rsa(alg="RS256")

    assert parse_jwks(jwks(key, dict(reversed(key.items()))), ["RS256"]) == parse_jwks(jwks(key), ["RS256"])


@pytest.mark.parametrize(
    "other",
    [
        rsa(alg="RS512"),
        rsa(alg="HS256"),
        rsa(alg="none"),
        rsa(alg=5),
        rsa(use="enc"),
        rsa(key_ops=["encrypt"]),
        rsa(key_ops="verify"),
        rsa(bits=1024),
        curve(alg="RS256"),
        curve("P-384", 48),
        {},
        {"kty": "new"},
    ],
)
def test_what_signatures_are_not_to_be_checked_with_is_left_out(other: dict[str, Any]) -> None:
    assert len(parsed(rsa(alg="RS256"), other)) == 1
    with pytest.raises(KeysUnusable, match="no key that can be used; key 1: "):
        parsed(other)


@pytest.mark.parametrize("secret", [rsa(d="open-sesame"), {"kty": "oct", "k": "open-sesame"}, curve(d="open-sesame")])
def test_a_private_or_symmetric_key_spoils_all(secret: dict[str, Any]) -> None:
    with pytest.raises(KeysUnusable, match="private or symmetric key") as refused:
        parsed(rsa(), secret)
    assert "open-sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"1", b"{}", b'{"keys":1}', b'{"keys":[1]}', b'{"keys":[]}', b"\xff\xfe", b"[" * 100_000]
)
def test_what_is_no_jwks_or_an_empty_one_is_refused(text: bytes) -> None:
    with pytest.raises(KeysUnusable):
        parse_jwks(text, DEFAULT_ALGORITHMS)


def test_a_jwks_is_small() -> None:
    with pytest.raises(KeysUnusable, match="101 keys; expected 100 at most"):
        parsed(*[rsa()] * 101)
    with pytest.raises(KeysUnusable, match="larger than 262144 bytes"):
        parse_jwks(b" " * 262145, DEFAULT_ALGORITHMS)


# Withdrawn keys


def test_a_withdrawn_key_is_accepted_until_its_overlap_has_ended() -> None:
    rotated = KeySet(A).replaced_by(B, now=100, overlap=10)

    assert rotated.jwks() == '{"keys":[A,B]}'
    assert rotated.next_end == 110
    assert rotated.at(109.9) is rotated
    assert rotated.at(110).jwks() == '{"keys":[B]}'
    assert rotated.at(110).next_end is None


def test_the_overlap_counts_from_the_withdrawal_and_not_from_each_fetch_after_it() -> None:
    rotated = KeySet(A).replaced_by(B, now=100, overlap=10).replaced_by(B | C, now=105, overlap=10)

    assert rotated.retiring == {"A": 110}
    assert rotated.replaced_by(C, now=109, overlap=10).retiring == {"A": 110, "B": 119}


def test_a_key_that_comes_back_is_present_again() -> None:
    back = KeySet(A).replaced_by(B, now=100, overlap=10).replaced_by(A | B, now=105, overlap=10)

    assert back == KeySet(A | B)
    assert back.replaced_by(B, now=106, overlap=10).retiring == {"A": 116}


def test_with_no_overlap_a_withdrawn_key_is_gone_at_once() -> None:
    assert KeySet(A).replaced_by(B, now=100, overlap=0) == KeySet(B)


def test_the_first_keys_replace_none() -> None:
    assert KeySet().replaced_by(A, now=100, overlap=10) == KeySet(A)
