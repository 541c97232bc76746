"""Which headers carry an opaque token, and that a JWT never does."""

import re

import pytest

from xds.demo.idp import IdentityProvider
from xds.opaque import OPAQUE_BEARER, digest, opaque_token

TOKENS = ("s", "5aB_~+/-", "v1.5aB", "abc=", "abc.def==", "x" * 4000)
JWT = IdentityProvider().mint("acme")
OTHERS = {
    "nothing": "",
    "no token": "Bearer ",
    "a JWT": f"Bearer {JWT}",
    "a JWT without its signature": f"Bearer {JWT.rpartition('.')[0]}.",
    "two dots": "Bearer a.b.c",
    "four dots, as a JWE": "Bearer a.b.c.d.e",
    "a dot in front": "Bearer .a",
    "a dot at the end": "Bearer a.",
    "another scheme": "Basic abc",
    "the scheme in small letters": "bearer abc",
    "something in front": "x Bearer abc",
    "two words": "Bearer a b",
    "two headers, joined": f"Bearer abc,Bearer {JWT}",
    "two opaque tokens, joined": "Bearer abc,Bearer def",
    "a new line": "Bearer abc\n",
    "digits that are none of ASCII's": "Bearer ٣",
    "padding alone": "Bearer ==",
    "padding inside": "Bearer a=b",
    "too long": f"Bearer {'x' * 4096}",
}


@pytest.mark.parametrize("token", TOKENS, ids=len)
def test_a_bearer_token_with_one_dot_at_most_is_opaque(token: str) -> None:
    assert opaque_token(f"Bearer {token}") == token


@pytest.mark.parametrize("header", OTHERS.values(), ids=OTHERS.keys())
def test_anything_else_is_not(header: str) -> None:
    assert opaque_token(header) is None


def test_the_pattern_is_one_that_envoys_re2_reads_alike() -> None:
    # Nothing that RE2 lacks (look-around, back references, possessive) or reads by another alphabet (\w, \d, \s).
    assert re.search(r"\(\?|\\[a-zA-Z0-9]|[*+?}]\+", OPAQUE_BEARER) is None


def test_a_token_is_known_by_its_sha_256() -> None:
    assert digest("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
