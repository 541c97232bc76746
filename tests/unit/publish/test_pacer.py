from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from xds.publish import Pacer

TIMES = st.lists(st.floats(0, 1e6), min_size=1).map(sorted)


def test_a_lone_change_goes_at_once() -> None:
    assert Pacer(10.0).delay(5.0) == 0.0


def test_the_next_waits_for_the_rest_of_the_interval() -> None:
    pacer = Pacer(10.0)
    pacer.started(100.0)

    assert [pacer.delay(now) for now in (100.0, 104.0, 110.0, 500.0)] == [10.0, 6.0, 0.0, 0.0]


def test_an_interval_of_zero_never_waits() -> None:
    pacer = Pacer(0.0)
    pacer.started(100.0)

    assert pacer.delay(100.0) == 0.0


@given(st.floats(0, 1e3), TIMES)
def test_starts_are_never_closer_than_the_interval(interval: float, wakes: list[float]) -> None:
    pacer, starts = Pacer(interval), list[float]()
    for woken in wakes:
        now = max(woken, starts[-1] if starts else woken)
        starts.append(now + pacer.delay(now))
        pacer.started(starts[-1])

    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(gap >= interval - 1e-6 for gap in gaps)
