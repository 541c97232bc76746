"""Drains that servers work off, on a real registry: each batch once, whoever comes; what fails, and what is left."""

import asyncio
from dataclasses import replace

import pytest

from tests.integration.operations.test_draining import ANNA, A, B, C, placed
from tests.integration.operations.test_draining import store as store  # the fixture
from xds.errors import Conflict, NotFound
from xds.model import CellState
from xds.operations import (
    AuditQuery,
    Author,
    Drain,
    DrainOptions,
    DrainState,
    drain_cell,
    list_audit,
    set_capacity,
    set_cell_state,
)
from xds.operations.drainorders import last_drain, order_drain, resume_drain, stop_drain, work_off
from xds.registry import PostgresRegistry

TO_B = DrainOptions(to=B, batch=4)


async def worked(store: PostgresRegistry) -> Drain:
    (drain,) = await work_off(store)
    return drain


async def test_what_was_ordered_is_done_in_the_name_of_who_ordered_it(store: PostgresRegistry) -> None:
    ordered = await order_drain(store, A, TO_B, by=ANNA)
    assert [(await worked(store)).moved for _ in range(3)] == [4, 8, 10]
    assert (await worked(store)).state is DrainState.ENDED
    assert await placed(store) == {B: 10}
    events = await list_audit(store, AuditQuery(operation=ordered.id))
    assert {(event.actor, event.message, event.action) for event in events} == {
        ("anna", "kernel update", "cells drain")
    }


async def test_two_replicas_do_each_batch_once(store: PostgresRegistry) -> None:
    await order_drain(store, A, TO_B)
    moved = []
    while (await last_drain(store, A)).state is DrainState.RUNNING:
        # Mostly, all have seen that it is due before one of them does something.
        done = await asyncio.gather(*(work_off(store) for _ in range(3)))
        moved += [drain.moved for each in done for drain in each]
    assert sorted(moved) == [4, 8, 10, 10], "each batch is done once, and the end is said once"
    assert await placed(store) == {B: 10}
    assert (await last_drain(store, A)).state is DrainState.ENDED


async def test_the_first_batch_is_done_at_once_and_the_next_waits_for_the_pause(store: PostgresRegistry) -> None:
    await order_drain(store, A, replace(TO_B, pause=600.0))
    assert (await worked(store)).moved == 4
    assert await work_off(store) == ()


async def test_a_batch_that_fails_again_and_again_stops_the_drain_which_says_why(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 6)
    await order_drain(store, A, TO_B)
    assert (await worked(store)).moved == 4
    failures = [await worked(store) for _ in range(3)]
    assert [drain.state for drain in failures] == [DrainState.RUNNING, DrainState.RUNNING, DrainState.STOPPED]
    assert failures[-1].stopped.startswith("cell cell-b: is full: has room for 6 tenants")
    assert await work_off(store) == ()
    assert await placed(store) == {A: 6, B: 4}

    await set_capacity(store, B, None)
    await resume_drain(store, A)
    assert (await worked(store)).moved == 8


async def test_one_whose_target_is_gone_is_stopped_at_once(store: PostgresRegistry) -> None:
    await order_drain(store, A, TO_B)
    await set_cell_state(store, B, CellState.CORDONED)
    for _ in range(2):
        assert (await worked(store)).state is DrainState.RUNNING
    assert (await worked(store)).stopped == "cell cell-b: is cordoned, only an active cell takes tenants"


async def test_who_sets_the_cell_active_has_given_the_drain_up(store: PostgresRegistry) -> None:
    await order_drain(store, A, TO_B)
    await set_cell_state(store, A, CellState.ACTIVE)
    assert (await worked(store)).stopped == "given up: the cell is active"
    assert await placed(store) == {A: 10}


async def test_a_command_takes_over_and_servers_take_over_from_a_command(store: PostgresRegistry) -> None:
    ordered = await order_drain(store, A, TO_B)
    await worked(store)

    def stop(moved: int, _total: int) -> None:
        if moved:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await drain_cell(store, A, DrainOptions(to=C, batch=2), by=Author("bob"), progress=stop)
    taken = await last_drain(store, A)
    assert (taken.id, taken.state, taken.moved) == (ordered.id, DrainState.OPEN, 6)
    assert await work_off(store) == ()
    with pytest.raises(Conflict, match="expected a drain that a server works at, its last one is open"):
        await stop_drain(store, A)

    await order_drain(store, A, TO_B)
    assert (await worked(store)).moved == 10
    assert await placed(store) == {B: 8, C: 2}


async def test_what_was_never_drained_has_no_drain(store: PostgresRegistry) -> None:
    for asked in (last_drain(store, A), stop_drain(store, A), resume_drain(store, A)):
        with pytest.raises(NotFound, match="cell cell-a: was never drained"):
            await asked
