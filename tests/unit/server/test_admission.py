import pytest

from xds.server.admission import TokenBucket, age_of_end


def test_a_burst_goes_at_once_and_the_rest_in_order_at_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=2, longest=60)

    assert [bucket.take(100.0) for _ in range(5)] == pytest.approx([0, 0, 0.1, 0.2, 0.3])


def test_who_comes_later_is_never_served_before_who_came_first() -> None:
    bucket = TokenBucket(rate=7, burst=3, longest=60)
    arrivals = [number * 0.05 for number in range(100)]
    waits = [bucket.take(at) for at in arrivals]

    served = [at + wait for at, wait in zip(arrivals, waits, strict=True) if wait is not None]
    assert len(served) == 100
    assert served == sorted(served)


def test_three_thousand_that_come_at_once_are_all_served_well_inside_fifteen_seconds() -> None:
    bucket = TokenBucket(rate=500, burst=500, longest=10)
    waits = [bucket.take(0.0) for _ in range(3000)]

    assert None not in waits
    assert max(wait for wait in waits if wait is not None) == pytest.approx(5.0)


def test_who_would_wait_too_long_is_refused_and_takes_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=1, longest=2)
    assert [bucket.take(0.0) for _ in range(5)] == [0, 1, 2, None, None]

    assert bucket.take(1.0) == 2


def test_an_idle_bucket_holds_no_more_than_its_burst() -> None:
    bucket = TokenBucket(rate=10, burst=2, longest=60)
    bucket.take(0.0)

    assert [bucket.take(1000.0) for _ in range(3)] == pytest.approx([0, 0, 0.1])


@pytest.mark.parametrize(("dice", "age"), [(0.0, 90.0), (0.5, 100.0), (1.0, 110.0)])
def test_streams_of_one_age_end_apart(dice: float, age: float) -> None:
    assert age_of_end(100.0, dice) == pytest.approx(age)


def test_no_age_is_no_end() -> None:
    assert age_of_end(0.0, 0.5) is None
