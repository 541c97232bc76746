"""An API key's form, and what is kept of it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.tokens.apikey import digest, id_of, is_key, make_key, nobodys_digest


def test_a_key_carries_its_id_and_256_bits_that_nobody_knows() -> None:
    made = [make_key() for _ in range(200)]
    assert all(text.startswith(f"ask_{key_id}_") and id_of(text) == key_id for key_id, text in made)
    assert all(len(text.split("_", 2)[2]) == 43 for _, text in made)  # 32 bytes in base64url
    assert len({text for _, text in made}) == len({key_id for key_id, _ in made}) == 200


def test_of_a_key_only_its_hash_is_kept() -> None:
    _, text = make_key()
    assert digest(text) == hashlib.sha256(text.encode()).digest()
    assert is_key(text, digest(text))
    assert not is_key(text, digest(text + "x"))


def test_keys_are_compared_in_constant_time_and_what_is_not_there_is_too(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("xds.tokens.apikey.hmac.compare_digest", compare)
    _, text = make_key()
    for stored in (digest(text), digest("another"), nobodys_digest()):
        is_key(text, stored)
    assert compared == [(32, 32)] * 3


def test_what_stands_in_for_a_digest_is_never_twice_the_same() -> None:
    assert len({nobodys_digest() for _ in range(100)}) == 100


@given(st.text() | st.text(st.characters(categories=["Cs"])))
def test_what_is_no_key_has_the_id_of_nobody_and_is_compared_all_the_same(text: str) -> None:
    assert id_of(text) == "0" * 16
    assert not is_key(text, bytes(32))
