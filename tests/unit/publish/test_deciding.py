"""What becomes of what is desired."""

from dataclasses import replace

import pytest

from tests.support.edge import GROUP, cell, edge_options, endpoint, many_tenants, tenant, topology
from xds.model import Cell, CellState, Tenant
from xds.names import Revision
from xds.publish import Entry, Guard, Kind, Mode, Policy, Recorded, Rollout, RolloutState, Waves
from xds.publish.deciding import Decision, Draft, counts_of, decide, draft_of, in_force, redraft
from xds.publish.lanes import with_lanes
from xds.publish.structure import structure_of
from xds.translate import TenantOptions, translate

OPTIONS = edge_options()
HIDING = edge_options(tenants=TenantOptions(hides_suspended=True))
GUARD = Guard()


def draft(*things: Cell | Tenant, base: Recorded | None = None) -> Draft:
    """What a registry of one cell and these asks for."""
    return draft_of(translate(topology(cell(), *things), OPTIONS), base)


def recorded(of: Draft, number: int = 1) -> Recorded:
    """It, in force."""
    entry = Entry(
        number=number,
        revision=of.revision,
        digest=of.content.digest,
        at=0.0,
        by="replica-1",
        kind=of.kind,
        message="",
        counts=of.counts,
        structure=of.structure,
    )
    return Recorded(entry=entry, content=of.content)


def current(base: Recorded) -> Draft:
    """What is in force, with the keys of always."""
    return redraft(base.entry, base.content)


BASE = recorded(draft(tenant()))
HIDDEN = draft_of(translate(topology(cell(), tenant()), HIDING), BASE)
WANTED = draft(tenant(), tenant("b"), base=BASE)


def test_a_change_is_published_as_it_comes() -> None:
    decision = decide(WANTED, BASE, current(BASE), Policy(), GUARD)

    assert (decision.draft, decision.held) == (WANTED, None)


def test_what_is_frozen_pinned_or_manual_stays_and_what_comes_is_held() -> None:
    for policy in (Policy(is_frozen=True), Policy(pinned=1), Policy(mode=Mode.MANUAL)):
        decision = decide(WANTED, BASE, current(BASE), policy, GUARD)

        assert decision.draft.content is BASE.content
        assert decision.held is not None
        assert (decision.held.reason, decision.held.digest) == (policy.hold, WANTED.content.digest)
        assert [each.name for each in decision.held.change.upserts] == ["b"]
        assert decision.held.counts["tenants"] == 2


def test_what_is_held_differs_from_what_will_be_in_force() -> None:
    now = recorded(WANTED, 2)
    decision = decide(WANTED, now, current(BASE), Policy(pinned=1), GUARD)

    assert decision.draft.content is BASE.content
    assert decision.held is not None
    assert [each.name for each in decision.held.change.upserts] == ["b"]


def test_nothing_is_held_when_nothing_differs() -> None:
    decision = decide(draft(tenant(), base=BASE), BASE, current(BASE), Policy(is_frozen=True), GUARD)

    assert (decision.draft.content, decision.held) == (BASE.content, None)


def test_what_the_guard_objects_to_is_held() -> None:
    base = recorded(draft(*many_tenants(50)))
    decision = decide(draft(base=base), base, current(base), Policy(), GUARD)

    assert decision.draft.content is base.content
    assert decision.held is not None
    assert decision.held.reason == "guard: all 50 tenants would go"


def test_what_an_operator_approved_of_is_published_in_his_name() -> None:
    policy = Policy(mode=Mode.MANUAL, approved=WANTED.content.digest, by="ann", message="go")
    decision = decide(WANTED, BASE, current(BASE), policy, GUARD)

    assert decision.held is None
    assert decision.draft == replace(WANTED, kind=Kind.OPERATOR, by="ann", message="go")


def test_what_is_approved_is_published_though_there_is_more_by_now() -> None:
    more = draft(tenant(), tenant("b"), tenant("c"))
    policy = Policy(mode=Mode.MANUAL, approved=WANTED.content.digest, by="ann")
    decision = decide(more, BASE, current(BASE), policy, GUARD, seen=WANTED)

    assert decision.draft.content is WANTED.content


def test_an_approval_of_something_else_is_none() -> None:
    policy = Policy(mode=Mode.MANUAL, approved="0" * 32, by="ann")
    decision = decide(WANTED, BASE, current(BASE), policy, GUARD, seen=WANTED)

    assert decision.draft.content is BASE.content
    assert decision.held is not None


def test_an_approval_does_not_thaw_what_is_frozen_or_pinned() -> None:
    for stops in (Policy(is_frozen=True), Policy(pinned=1)):
        policy = replace(stops, approved=WANTED.content.digest)
        assert decide(WANTED, BASE, current(BASE), policy, GUARD).draft.content is BASE.content


def test_what_is_published_already_is_not_published_by_its_approval_again() -> None:
    base = recorded(WANTED, 2)
    policy = Policy(mode=Mode.MANUAL, approved=WANTED.content.digest, by="ann")
    decision = decide(draft(tenant(), tenant("b"), base=base), base, current(base), policy, GUARD)

    assert (decision.draft.kind, decision.held) == (Kind.CHANGE, None)


def test_in_manual_mode_what_a_rollout_does_is_published_and_data_beside_it_is_held() -> None:
    policy = Policy(mode=Mode.MANUAL)
    running = replace(draft(tenant(), base=BASE), content=with_lanes(BASE.content, HIDDEN.content))
    assert decide(running, BASE, current(BASE), policy, GUARD) == Decision(draft=running)
    second = recorded(running, 2)
    assert decide(HIDDEN, second, current(second), policy, GUARD) == Decision(draft=HIDDEN)

    for stop in (replace(policy, is_frozen=True), replace(policy, pinned=1)):
        assert decide(running, BASE, current(BASE), stop, GUARD).held is not None
    assert decide(HIDDEN, BASE, current(BASE), policy, GUARD).held is not None, "no lane has had it"
    assert decide(WANTED, second, current(second), policy, GUARD).held is not None


# Structures

STOPPED = Rollout(id=1, structure="new", waves=Waves("10%"), soak_seconds=0.0).started(1.0, by="").stopped("no")
DONE = replace(STOPPED, state=RolloutState.DONE, ended_at=10.0)


def at(time: float, kind: Kind = Kind.CHANGE, *, lanes: bool = False) -> Recorded:
    """A snapshot of that time, by the old structure."""
    content = with_lanes(BASE.content, BASE.content) if lanes else BASE.content
    return Recorded(entry=replace(BASE.entry, at=time, kind=kind, structure="old"), content=content)


@pytest.mark.parametrize(
    ("newest", "rollout", "expected"),
    [
        (at(1.0), None, "old"),
        (at(1.0), replace(DONE, state=RolloutState.RUNNING, ended_at=None), "old"),
        (at(1.0, lanes=True), replace(DONE, state=RolloutState.RUNNING, ended_at=None), "old"),
        (at(1.0), STOPPED, "old"),
        (at(1.0, Kind.ROLLBACK), STOPPED, "old"),
        (at(1.0, Kind.ROLLBACK), None, "old"),
        (at(1.0), DONE, "new"),
        (at(1.0, Kind.ROLLBACK), DONE, "new"),
        (at(20.0), DONE, "old"),
        (at(20.0, lanes=True), DONE, "new"),
        (at(20.0, Kind.ROLLBACK), DONE, "old"),
        (at(20.0, Kind.ROLLBACK, lanes=True), DONE, "old"),
    ],
)
def test_the_structure_in_force_is_the_newest_snapshots_or_of_a_rollout_that_was_done_since(
    newest: Recorded, rollout: Rollout | None, expected: str
) -> None:
    assert in_force(newest, rollout) == expected


# Drafts


def test_a_draft_says_why_it_is_one() -> None:
    others = translate(topology(cell(), tenant()), edge_options(client=("client", 80)))

    assert draft(tenant()).kind is Kind.FIRST
    assert draft(tenant(), base=BASE).kind is Kind.CHANGE
    assert draft_of(others, BASE).kind is Kind.STRUCTURE
    assert draft_of(others, BASE).structure == structure_of(others.options)


def test_other_keys_are_a_change_and_no_structure() -> None:
    keys = translate(topology(cell(), tenant()), edge_options(jwks="other"))

    assert draft_of(keys, BASE).kind is Kind.CHANGE


def test_a_snapshot_again_keeps_what_is_known_of_it() -> None:
    again = redraft(BASE.entry, BASE.content, kind=Kind.ROLLBACK, by="ann", message="back")

    assert (again.revision, again.structure, again.counts) == (
        BASE.entry.revision,
        BASE.entry.structure,
        BASE.entry.counts,
    )
    assert (again.kind, again.by, again.message) == (Kind.ROLLBACK, "ann", "back")


def test_what_is_counted_is_what_envoys_are_told_of() -> None:
    two = (endpoint("10.0.0.1:1"), endpoint("10.0.0.2:1"))
    of = topology(
        cell("cell-a", endpoints=two),
        cell("cell-b", endpoints=two, state=CellState.DRAINING),
        cell("cell-c", endpoints=two, state=CellState.RETIRED),
        tenant("a", "cell-a"),
        revision=7,
    )

    assert counts_of(of) == {"tenants": 1, "cells": 2, "endpoints": 4, "active": 1, "draining": 1, "retired": 1}
    assert draft_of(translate(of, OPTIONS), None).revision == Revision(7)
    assert GROUP in draft_of(translate(of, OPTIONS), None).content.groups
