import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.model import is_reserved, is_tenant_id
from xds.names import PUBLIC_TENANT

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize(
    "text",
    [
        *("a", "0", "A.b_c-d", "x" * 128, "018f2b6e-7c1d-7e9a-b7a7-0d6b1d7f4a11"),
        *("42", "007", "1" * 15, "12e45678", "1e20", "1.2.3", "1.5a", "v1.5", "1.", "5e-", "3e-beef", "True", "nullx"),
        *("W", "e", "WzFd.", "Wonka", "eve", "encode", "WzFde", "ZTE", "bnVsbA"),
    ],
)
def test_a_plain_header_value_is_an_id(text: str) -> None:
    assert is_tenant_id(text)


@pytest.mark.parametrize("text", [PUBLIC_TENANT, "", "-a", ".a", "a b", "a\n", "a,b", "ä", "٣", "x" * 129])
def test_anything_else_is_none(text: str) -> None:
    assert not is_tenant_id(text)


@pytest.mark.parametrize("text", ["true", "false", "null", "1" * 16, "0" * 17, "1.5", "0.30", "1e-07", "1.25e-07"])
def test_what_a_number_or_a_truth_value_becomes_is_reserved(text: str) -> None:
    assert is_reserved(text)
    assert not is_tenant_id(text)


@given(st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=4), VALUES, max_size=4))
def test_what_a_list_or_an_object_becomes_is_reserved_however_it_is_encoded(value: object) -> None:
    for separators in ((",", ":"), (", ", ": ")):
        for is_ascii in (True, False):
            body = json.dumps(value, separators=separators, ensure_ascii=is_ascii).encode()
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                encoded = encode(body).decode()
                assert is_reserved(encoded)
                assert is_reserved(encoded.rstrip("="))


def test_an_encoded_text_or_number_is_not() -> None:
    assert not any(is_reserved(base64.b64encode(text.encode()).decode()) for text in ('"a"', "12", "null", "{", "[x]"))
