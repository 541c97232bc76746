"""How often who may ask, with a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.http.limiter import RateLimiter, asker_at


def test_a_burst_goes_through_and_then_one_at_a_time() -> None:
    limiter = RateLimiter(rate=2, burst=3)
    assert [limiter.take("a", 10.0) for _ in range(3)] == [0, 0, 0]
    assert limiter.take("a", 10.0) == 0.5
    assert limiter.take("a", 10.25) == 0.25
    assert limiter.take("a", 10.5) == 0
    assert limiter.take("a", 10.5) == 0.5


def test_one_asker_takes_nothing_from_another() -> None:
    limiter = RateLimiter(rate=1, burst=1)
    assert [limiter.take(asker, 0.0) for asker in "abab"] == [0, 0, 1, 1]


def test_who_is_refused_loses_nothing_by_asking() -> None:
    limiter = RateLimiter(rate=1, burst=1)
    limiter.take("a", 0.0)
    for tenth in range(1, 10):
        assert limiter.take("a", tenth / 10) > 0
    assert limiter.take("a", 1.0) == 0


def test_so_many_are_remembered_and_no_more() -> None:
    limiter = RateLimiter(rate=1, burst=1, most=100)
    for number in range(1000):
        limiter.take(str(number), 0.0)
    assert len(limiter) == 100
    assert limiter.take("999", 0.0) == 1
    assert limiter.take("0", 0.0) == 0


def test_who_asks_on_is_not_forgotten() -> None:
    limiter = RateLimiter(rate=1, burst=1, most=10)
    for number in range(50):
        limiter.take("busy", 0.0)
        limiter.take(str(number), 0.0)
    assert limiter.take("busy", 0.0) == 1


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limiter = RateLimiter(rate=1, burst=2)
    assert [limiter.take("a", now) for now in (100.0, 0.0, 0.0)] == [0, 0, 1]


@given(st.lists(st.floats(0, 1), max_size=200), st.integers(1, 5), st.floats(0.5, 20))
def test_never_more_than_the_burst_and_the_rate(gaps: list[float], burst: int, rate: float) -> None:
    limiter, now, let_through = RateLimiter(rate, burst), 0.0, 0
    for gap in gaps:
        now += gap
        let_through += not limiter.take("a", now)
    assert let_through <= burst + rate * now + 1e-6


@pytest.mark.parametrize(
    ("address", "asker"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_who_has_a_network_of_its_own_is_one_asker(address: str | None, asker: str) -> None:
    assert asker_at(address) == asker
