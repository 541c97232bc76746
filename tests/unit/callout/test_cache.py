"""What is remembered, for how long, and how much of it."""

import pytest

from xds.callout.cache import VerdictCache
from xds.callout.verdicts import INVALID, Admitted
from xds.names import TenantId
from xds.opaque import Digest, digest

ACME = Admitted(TenantId("acme"))


def key(number: int) -> Digest:
    return digest(str(number))


def test_a_verdict_is_remembered_until_its_end_and_not_at_it() -> None:
    cache = VerdictCache(10)
    cache.put(key(1), ACME, 30.0)

    assert cache.get(key(1), 29.9) == ACME
    assert cache.get(key(1), 30.0) is None


def test_what_has_ended_takes_no_room() -> None:
    cache = VerdictCache(10)
    cache.put(key(1), ACME, 30.0)
    cache.get(key(1), 31.0)

    assert len(cache) == 0


@pytest.mark.parametrize("end", [5.0, 4.0])
def test_what_ends_at_once_is_not_remembered(end: float) -> None:
    cache = VerdictCache(10)
    cache.put(key(1), ACME, end)

    assert cache.get(key(1), 5.0) is None


def test_an_unknown_token_is_not_taken_for_another() -> None:
    cache = VerdictCache(10)
    cache.put(key(1), ACME, 30.0)

    assert cache.get(key(2), 0.0) is None


def test_there_is_never_more_than_room_and_the_first_goes_first() -> None:
    cache = VerdictCache(3)
    for number in range(5):
        cache.put(key(number), ACME, 30.0)

    assert len(cache) == 3
    assert [number for number in range(5) if cache.get(key(number), 0.0)] == [2, 3, 4]


def test_a_newer_verdict_is_in_the_olders_place_and_has_its_turn_anew() -> None:
    cache = VerdictCache(2)
    cache.put(key(1), ACME, 30.0)
    cache.put(key(2), ACME, 30.0)
    cache.put(key(1), INVALID, 60.0)
    cache.put(key(3), ACME, 30.0)

    assert cache.get(key(1), 50.0) == INVALID
    assert cache.get(key(2), 0.0) is None
