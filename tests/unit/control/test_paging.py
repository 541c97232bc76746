"""Pages: nothing is left out or told twice, whatever happens between them."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.control.paging import cut, from_cursor, to_cursor
from xds.errors import RequestError


def pages(things: list[str], limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        page, cursor = cut(things, limit, cursor, key=lambda each: (each,), like=("",))
        found.append(page)
        if cursor is None:
            return found


@given(
    things=st.sets(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))), limit=st.integers(1, 5)
)
def test_the_pages_together_are_the_whole(things: set[str], limit: int) -> None:
    found = pages(sorted(things), limit)
    assert [each for page in found for each in page] == sorted(things)
    assert all(len(page) == limit for page in found[:-1])


def test_what_is_added_or_deleted_before_the_next_page_shifts_nothing() -> None:
    page, cursor = cut(["b", "d", "f"], 2, None, key=lambda each: (each,), like=("",))
    assert page == ["b", "d"]
    assert cut(["a", "b", "e", "f"], 2, cursor, key=lambda each: (each,), like=("",)) == (["e", "f"], None)


@pytest.mark.parametrize(
    "key",
    [("a", 1), (1,), (True,), (["a"],), ("\0",), ("\ud800",), ()],
    ids=["more", "number", "flag", "list", "nul", "half", "none"],
)
def test_a_cursor_of_another_kind_is_refused(key: tuple[object, ...]) -> None:
    made = base64.urlsafe_b64encode(json.dumps(list(key)).encode()).decode()
    with pytest.raises(RequestError, match="expected `next` of a page before"):
        from_cursor(made, ("",))


@pytest.mark.parametrize("text", ["", "!", "abc", "ä", "W10", to_cursor(("a",))[:-2], "W" * 900])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="cursor"):
        from_cursor(text, ("",))
