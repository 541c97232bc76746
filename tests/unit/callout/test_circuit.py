"""When somebody who fails is asked again."""

import pytest

from xds.callout.circuit import Circuit


@pytest.fixture
def circuit() -> Circuit:
    return Circuit(failures=3, pause=1.0)


def fail(circuit: Circuit, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        circuit.failed(now)


def test_a_few_failures_keep_nobody_from_asking(circuit: Circuit) -> None:
    fail(circuit, 2)

    assert circuit.may_ask(0.0)
    assert not circuit.is_open


def test_so_many_in_a_row_do(circuit: Circuit) -> None:
    fail(circuit, 3)

    assert circuit.is_open
    assert not circuit.may_ask(0.9)


def test_a_success_between_them_begins_the_row_anew(circuit: Circuit) -> None:
    fail(circuit, 2)
    circuit.succeeded()
    fail(circuit, 2)

    assert circuit.may_ask(0.0)


def test_after_the_pause_one_tries_and_the_others_wait_for_the_next(circuit: Circuit) -> None:
    fail(circuit, 3)

    assert [circuit.may_ask(now) for now in (1.0, 1.0, 1.9, 2.0, 2.0)] == [True, False, False, True, False]


def test_a_try_that_fails_begins_the_pause_anew(circuit: Circuit) -> None:
    fail(circuit, 3)
    assert circuit.may_ask(1.0)
    circuit.failed(1.5)

    assert not circuit.may_ask(2.4)
    assert circuit.may_ask(2.5)


def test_a_try_that_succeeds_lets_all_ask(circuit: Circuit) -> None:
    fail(circuit, 3)
    assert circuit.may_ask(1.0)
    circuit.succeeded()

    assert not circuit.is_open
    assert all(circuit.may_ask(1.0) for _ in range(3))


def test_a_try_that_is_given_up_leaves_room_for_another(circuit: Circuit) -> None:
    fail(circuit, 3)
    assert circuit.may_ask(1.0)

    assert circuit.may_ask(2.0)
