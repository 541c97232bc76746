"""Pages: a part of a list, and a cursor that says where the next one begins.

A cursor names the last thing of a page, not its place in the list, so that what is added or deleted meanwhile shifts
nothing. Who asks must not read anything into it.
"""

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TypeVar

from xds.errors import RequestError

T = TypeVar("T")
Key = Sequence[str | int | float]


def to_cursor(key: Key) -> str:
    """The cursor of what comes after `key`."""
    return urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).decode().rstrip("=")


def from_cursor(cursor: str | None, like: Key) -> tuple[str | int | float, ...] | None:
    """The key that a cursor was made of, with values of the kinds of those of `like`; raises `RequestError`."""
    if cursor is None:
        return None
    try:
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not isinstance(key, list) or [type(each) for each in key] != [type(each) for each in like]:
        raise RequestError("cursor: expected `next` of a page before")
    if any(isinstance(each, str) and not _is_storable(each) for each in key):
        raise RequestError("cursor: expected `next` of a page before")
    return tuple(key)


def _is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def cut(
    things: Iterable[T], limit: int, cursor: str | None, *, key: Callable[[T], Key], like: Key
) -> tuple[list[T], str | None]:
    """A page of things that are sorted by `key`, and the cursor of the next one, None for the last."""
    after = from_cursor(cursor, like)
    left = things if after is None else (each for each in things if tuple(key(each)) > after)
    return page_of(list(islice(left, limit + 1)), limit, key=key)


def page_of(things: Sequence[T], limit: int, *, key: Callable[[T], Key]) -> tuple[list[T], str | None]:
    """The first `limit` of things of which one more was asked for than a page has, and the cursor of the next page."""
    page = list(things[:limit])
    return page, to_cursor(key(page[-1])) if len(things) > limit else None
