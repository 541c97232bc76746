"""An API key's form, and what is kept of it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.tokens import apikey
from xds.tokens.apikey import digest, id_of, is_key, make_key


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
    assert not is_key(text, None)


def test_the_same_is_done_for_a_key_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("xds.tokens.apikey.hmac.compare_digest", compare)
    _, text = make_key()
    for stored in (digest(text), digest("another"), None):
        is_key(text, stored)
    assert compared == [(32, 32)] * 3


def test_a_digest_of_zeros_is_nobodys_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apikey, "digest", lambda _text: bytes(32))
    assert not is_key("ask_", None)


@given(st.text() | st.text(st.characters(categories=["Cs"])))
def test_what_is_no_key_has_the_id_of_nobody_and_is_compared_all_the_same(text: str) -> None:
    assert id_of(text) == "0" * 16
    assert not is_key(text, bytes(32))
