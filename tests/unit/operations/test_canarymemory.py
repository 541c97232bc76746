"""What a look remembers: spells of not being ready, and rates between reads, restarts and all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.operations.canary import Look
from xds.operations.canarymemory import Counters, Memory, Read

A, B = "http://envoy-a:9901", "http://envoy-b:9901"
T = 1_000_000.0
WINDOW = 300.0


Held = tuple[float, dict[str, tuple[float, int, int]]]


def remembered(*reads: Held) -> Memory:
    memory = Memory()
    for at, envoys in reads:
        memory = memory.with_read(Read(T + at, {name: Counters(*held) for name, held in envoys.items()}), WINDOW)
    return memory


def share(*reads: Held) -> tuple[float, float, float]:
    found = remembered(*reads).share()
    return found.requests, found.failed, found.seconds


def test_one_read_is_no_rate() -> None:
    assert share() == (0, 0, 0)
    assert share((0, {A: (900, 1_000_000, 50_000)})) == (0, 0, 0)


def test_a_rate_is_what_came_between_reads_and_not_since_the_start() -> None:
    assert share((0, {A: (900, 10_000, 900), B: (50, 10, 0)}), (300, {A: (1200, 10_500, 902), B: (350, 30, 1)})) == (
        520,
        3,
        300,
    )


def test_an_envoy_that_has_restarted_is_counted_from_its_start() -> None:
    reads: tuple[Held, ...] = (0, {A: (900, 10_000, 900)}), (150, {A: (1050, 10_100, 901)}), (300, {A: (20, 40, 3)})
    assert share(*reads) == (140, 4, 300)
    assert "restarted" in remembered(*reads).share().evidence[1]


def test_a_restart_is_seen_although_the_counters_are_higher_than_before() -> None:
    assert share((0, {A: (5, 10, 0)}), (300, {A: (250, 400, 4)})) == (400, 4, 300)


def test_an_uptime_that_lags_is_no_restart() -> None:
    assert share((0, {A: (900, 10_000, 900)}), (300, {A: (1195, 10_500, 900)})) == (500, 0, 300)


def test_an_envoy_that_comes_later_is_counted_from_its_start_and_one_that_goes_is_said() -> None:
    reads: tuple[Held, ...] = (0, {A: (900, 10_000, 900)}), (300, {B: (100, 60, 1)})
    assert share(*reads) == (60, 1, 300)
    assert f"{A}: 0 answers, 0 of them 5xx, and is no longer there" in remembered(*reads).share().evidence


def test_what_an_envoy_answered_before_it_went_counts() -> None:
    reads: tuple[Held, ...] = (
        (0, {A: (900, 10_000, 900), B: (900, 0, 0)}),
        (150, {A: (1050, 10_100, 990), B: (1050, 50, 0)}),
        (300, {B: (1200, 100, 0)}),
    )
    assert share(*reads) == (200, 90, 300)


def test_an_envoy_that_was_there_but_not_asked_is_counted_from_when_it_is() -> None:
    old: tuple[Held, ...] = (0, {A: (900, 0, 0)}), (200, {A: (1100, 0, 0), B: (5000, 70_000, 9)})
    assert share(*old, (300, {A: (1200, 0, 0), B: (5100, 70_005, 9)})) == (5, 0, 300)


def test_reads_older_than_the_window_are_forgotten_but_for_where_it_begins() -> None:
    memory = remembered(*((float(at), {A: (900.0 + at, at, 0)}) for at in (0, 100, 200, 290, 450, 600)))

    assert [read.at - T for read in memory.reads] == [290, 450, 600]
    assert memory.share().seconds == 310


def looked(*times: tuple[float, list[Look]]) -> tuple[Memory, list[Look]]:
    """The memory after these looks, and the last of them with those who are missed."""
    memory, looks = Memory(), list[Look]()
    for at, seen in times:
        memory = memory.recent(T + at, WINDOW)
        looks = [*seen, *memory.missed(seen)]
        memory = memory.with_looks(looks, T + at)
    return memory, looks


def test_a_spell_begins_with_the_first_look_and_ends_when_the_replica_is_ready() -> None:
    first, second = (0, [Look(A, "503"), Look(B)]), (30, [Look(A, "no answer"), Look(B, "503")])
    assert looked(first, second)[0].not_ready_since == {A: T, B: T + 30}
    assert looked(first, second, (60, [Look(A), Look(B, "503")]))[0].not_ready_since == {B: T + 30}


def test_a_spell_does_not_go_on_over_a_time_that_nobody_looked_at() -> None:
    first = (0, [Look(A, "503")])

    assert looked(first, (300, [Look(A, "503")]))[0].not_ready_since == {A: T}
    assert looked(first, (301, [Look(A, "503")]))[0].not_ready_since == {A: T + 301}


ROUTERS, C = "http://routers:8080", "http://10.0.0.3:8080"


def behind(*urls: str, fault: str = "") -> list[Look]:
    return [Look(url, fault, ROUTERS) for url in urls]


def test_a_replica_that_its_name_no_longer_leads_to_is_not_ready_from_then_on() -> None:
    memory, looks = looked((0, behind(A, B)), (30, behind(A)), (60, behind(A)))

    assert looks == [*behind(A), *behind(B, fault=f"{ROUTERS} no longer leads to it, which counts as not ready")]
    assert memory.not_ready_since == {B: T + 30}


def test_all_are_not_ready_where_a_name_leads_nowhere() -> None:
    memory, looks = looked((0, behind(A, B)), (30, behind(ROUTERS, fault="its name is not found")))

    assert len(looks) == len([look for look in looks if look.fault]) == 2
    assert set(memory.not_ready_since.values()) == {T + 30}


def test_a_replica_that_another_has_taken_the_place_of_is_not_missed() -> None:
    assert looked((0, behind(A, B)), (30, behind(A, C)))[1] == behind(A, C)
    assert looked((0, behind(A, B)), (30, behind(A)), (60, behind(A, C)))[1] == behind(A, C)
    assert looked((0, behind(A, B)), (30, behind(A)), (60, behind(A, B)))[1] == behind(A, B)


def test_nobody_is_missed_whose_name_is_not_asked_any_more_or_was_long_ago() -> None:
    assert looked((0, behind(A, B)), (30, [Look(C, "", C)]))[1] == [Look(C, "", C)]
    assert looked((0, behind(A, B)), (301, behind(A)))[1] == behind(A)


def test_it_survives_being_written_down() -> None:
    memory = remembered((0, {A: (900, 10, 1)}), (20, {A: (920, 20, 1), B: (3, 1, 0)})).with_looks(
        [Look(A, "503", ROUTERS)], T
    )

    assert Memory.from_json(memory.to_json()) == memory
    assert Memory.from_json(Memory().to_json()) == Memory()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"looked_at": 1, "not_ready_since": {}, "reads": [1]}'])
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Memory.from_json(text)


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(0, 1000), st.integers(0, 50), st.booleans()), min_size=1, max_size=12
    )
)
def test_whatever_restarts_no_request_counts_twice_and_none_below_zero(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    """Each step: seconds since the read before, requests since then or since the restart, 5xx among them."""
    memory, at, uptime, requests, failed = remembered((0, {A: (0, 0, 0)})), 0.0, 0.0, 0, 0
    answered = 0
    for seconds, more, bad, restarts in steps:
        at += seconds
        # A restart shortly after the one before can't be told from none, unless a counter falls.
        is_restart = restarts and uptime + seconds - 1 > 10
        uptime = 1.0 if is_restart else uptime + seconds
        requests, failed = (more, min(bad, more)) if is_restart else (requests + more, failed + min(bad, more))
        answered += more
        memory = memory.with_read(Read(T + at, {A: Counters(uptime, requests, failed)}), 1e9)
    found = memory.share()
    assert 0 <= found.failed <= found.requests == answered
