"""The audit trail: whatever is changed is in it, by whomever and however, in the same transaction."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.integration.registry.test_rollouts import NOW
from tests.integration.registry.test_snapshots import content, record
from xds.errors import Conflict, RequestError
from xds.model import Cell, CellState, Endpoint, Tenant
from xds.names import CellId, NodeId, Revision, TenantId
from xds.operations import (
    AuditEvent,
    AuditQuery,
    Author,
    add_cell,
    add_tenant,
    create_key,
    import_tenants,
    list_audit,
    move_tenant,
    revoke_key,
    set_capacity,
    set_cell_state,
    set_endpoints,
)
from xds.operations import rollouts as rollouting
from xds.operations import snapshots as snapshotting
from xds.operations.snapshots import Word
from xds.publish import Candidate, Mode, Rollout, Waves
from xds.registry import PostgresRegistry

A, B = CellId("cell-a"), CellId("cell-b")
ACME = TenantId("acme")
ANNA = Author("anna", "because")


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    for cell in (A, B):
        await add_cell(registry, Cell(id=cell, endpoints=(Endpoint(address="10.0.0.1", port=80),)))
    await add_tenant(registry, Tenant(ACME, A))
    return registry


async def newest(store: PostgresRegistry, count: int = 1) -> tuple[AuditEvent, ...]:
    return await list_audit(store, AuditQuery(limit=count))


def told(event: AuditEvent) -> tuple[object, ...]:
    return event.actor, event.action, event.message, event.kind, event.cell, event.tenant


async def test_a_move_has_who_what_before_after_when_and_why(store: PostgresRegistry) -> None:
    await move_tenant(store, ACME, B, by=ANNA)
    (event,) = await newest(store)
    assert told(event) == ("anna", "tenants move", "because", "tenant", B, ACME)
    assert event.before == {"cell_id": "cell-a", "state": "active"}
    assert event.after == {"cell_id": "cell-b", "state": "active"}
    assert abs(event.at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_what_changes_nothing_leaves_no_trace(store: PostgresRegistry) -> None:
    before = await newest(store)
    await move_tenant(store, ACME, A, by=ANNA)
    await set_cell_state(store, A, CellState.ACTIVE, by=ANNA)
    with pytest.raises(Conflict):
        await set_cell_state(store, A, CellState.RETIRED, by=ANNA)
    assert await newest(store) == before


async def test_cells_endpoints_and_capacities(store: PostgresRegistry) -> None:
    await set_cell_state(store, B, CellState.DRAINING, by=ANNA)
    await set_capacity(store, B, 7, by=ANNA)
    kept = Endpoint(address="10.0.0.1", port=80)
    await set_endpoints(store, B, (kept, Endpoint(address="10.0.0.2", port=81)), by=ANNA)
    endpoint, capacity, state = await newest(store, 3)
    assert told(state) == ("anna", "cells set-state", "because", "cell", B, None)
    assert (state.before or {})["state"] == "active"
    assert (state.after or {})["state"] == "draining"
    assert ((capacity.before or {})["capacity"], (capacity.after or {})["capacity"]) == (None, 7)
    assert told(endpoint) == ("anna", "cells set-endpoints", "because", "endpoint", B, None)
    assert (endpoint.before, endpoint.after) == (None, {"address": "10.0.0.2", "port": 81, "zone": "", "weight": 1})


async def test_keys_and_who_revoked_one(store: PostgresRegistry) -> None:
    now = datetime.now(UTC)
    made = await create_key(store.api_keys, ACME, "ci", by=Author("bob"), now=now, expires_at=now + timedelta(days=1))
    await revoke_key(store.api_keys, made.key.id, now=now, by=ANNA)
    await revoke_key(store.api_keys, made.key.id, now=now, by=Author("too late"))
    revoked, created = await newest(store, 2)
    assert told(created) == ("bob", "keys create", "", "api_key", A, ACME)
    assert told(revoked) == ("anna", "keys revoke", "because", "api_key", A, ACME)
    assert (revoked.after or {})["revoked_at"] is not None
    assert "hash" not in (created.after or {})


async def test_the_use_of_a_key_is_no_event(store: PostgresRegistry) -> None:
    now = datetime.now(UTC)
    made = await create_key(store.api_keys, ACME, "ci", by=Author("bob"), now=now, expires_at=now + timedelta(days=1))
    before = await newest(store)
    await store.api_keys.note_use(made.key.id, now)
    assert await newest(store) == before


async def test_plain_sql_is_audited_as_its_user_and_is_no_operation(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await sql.execute("UPDATE tenants SET cell_id = 'cell-b'")
    (event,) = await newest(store)
    assert told(event) == ("postgres", "sql", "", "tenant", B, ACME)


async def test_an_author_is_not_kept_by_a_connection_of_the_pool(store: PostgresRegistry) -> None:
    await move_tenant(store, ACME, B, by=ANNA)
    await move_tenant(store, ACME, A)
    assert [event.actor for event in await newest(store, 2)] == ["unknown", "anna"]


async def test_one_transaction_is_one_operation(store: PostgresRegistry) -> None:
    await import_tenants(store, ["tenant,cell", "acme,cell-b", "new,cell-a"], by=ANNA)
    events = await newest(store, 2)
    assert {event.operation for event in events} == {events[0].operation}
    assert {(event.tenant, event.before is None) for event in events} == {(ACME, False), (TenantId("new"), True)}
    assert len(await list_audit(store, AuditQuery(operation=events[0].operation))) == 2


async def test_a_renamed_tenant_is_one_that_went_and_one_that_came(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await sql.execute("UPDATE tenants SET id = 'globex'")
    events = await newest(store, 2)
    assert {(event.tenant, event.before is None, event.after is None) for event in events} == {
        (ACME, False, True),
        (TenantId("globex"), True, False),
    }


async def test_questions(store: PostgresRegistry) -> None:
    await move_tenant(store, ACME, B, by=ANNA)
    (move,) = await newest(store)
    of_a = await list_audit(store, AuditQuery(cell=A))
    assert of_a[0] == move  # it has left A
    assert {event.cell for event in of_a} == {A, B}
    assert [event.action for event in await list_audit(store, AuditQuery(tenant=ACME))] == [
        "tenants move",
        "tenants add",
    ]
    assert await list_audit(store, AuditQuery(since=move.at)) == (move,)
    assert await list_audit(store, AuditQuery(since=datetime.now(UTC) + timedelta(hours=1))) == ()


async def test_no_event_of_a_tenant_is_without_a_cell(store: PostgresRegistry, sql: asyncpg.Connection) -> None:
    """The runbook's stop condition: an audit event with `cell_id IS NULL`."""
    now = datetime.now(UTC)
    await create_key(store.api_keys, ACME, "ci", by=Author("bob"), now=now, expires_at=now + timedelta(days=1))
    await sql.execute("UPDATE tenants SET cell_id = 'cell-b'; DELETE FROM tenants; DELETE FROM cells")
    assert await sql.fetchval("SELECT count(*) FROM audit") > 8
    assert await sql.fetchval("SELECT count(*) FROM audit WHERE cell_id IS NULL") == 0
    with pytest.raises(asyncpg.CheckViolationError, match="audit_cell_known"):
        await sql.execute(
            "INSERT INTO audit (actor, action, operation_id, kind, tenant_id) VALUES ('', '', '', '', 'x')"
        )


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'nobody'", "TRUNCATE audit"])
async def test_what_was_done_stays_done(store: PostgresRegistry, sql: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.FeatureNotSupportedError, match="what was done stays done"):
        await sql.execute(statement)


@pytest.mark.parametrize(("actor", "message"), [("", ""), ("a\nb", ""), ("x" * 201, ""), ("anna", "a\0b")])
def test_an_author_is_a_line_of_text(actor: str, message: str) -> None:
    with pytest.raises(RequestError, match="printable characters, got"):
        Author(actor, message)


# What is decided about publishing, and rollouts

ANN = Word(by="ann", message="incident 7")


async def test_each_decision_on_publishing_is_there_with_who_and_why(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    snapshots = registry.snapshots
    async with snapshots.lead() as lead:
        for number in (1, 2):
            await record(lead, number, content(str(number)))
        await snapshotting.set_mode(snapshots, Mode.MANUAL, ANN)
        await snapshotting.freeze(snapshots, ANN)
        await snapshotting.resume(snapshots, Word(by="bob"))
        await snapshotting.roll_back(snapshots, 1, ANN)
        await snapshotting.pin(snapshots, ANN)
        await snapshotting.resume(snapshots, ANN)
        change = content("3").changed_since(content("2"))
        await lead.note_candidate(Candidate(digest="d3", revision=Revision(3), reason="", change=change, counts={}))
        await snapshotting.publish_held(snapshots, ANN)
        await lead.note_policy(await snapshots.policy())
    await sql.execute("UPDATE publish_policy SET is_frozen = true")

    events = (await newest(registry, 20))[::-1]
    assert {told(each)[3:] for each in events} == {("publishing", None, None)}
    assert [told(each)[:3] for each in events] == [
        ("ann", "snapshot mode", "incident 7"),
        ("ann", "snapshot freeze", "incident 7"),
        ("bob", "snapshot resume", ""),
        ("ann", "snapshot rollback", "incident 7"),
        ("ann", "snapshot pin", "incident 7"),
        ("ann", "snapshot resume", "incident 7"),
        ("ann", "snapshot publish", "incident 7"),
        (await sql.fetchval("SELECT session_user"), "sql", ""),
    ]
    pinned = [(each.before or {})["pinned"] for each in events]
    assert pinned == [None, None, None, None, 1, 2, None, None]
    assert events[6].after == {"mode": "manual", "is_frozen": False, "pinned": None, "approved": "d3"}


async def test_each_step_of_a_rollout_is_there_with_its_time_and_what_it_was_before(registry: PostgresRegistry) -> None:
    drafted = Rollout(id=0, structure="{}", waves=Waves("10%"), soak_seconds=5.0).started(NOW, by="replica-1")
    async with registry.snapshots.lead() as lead:
        await lead.propose(drafted)
        first = replace(drafted, id=1, nodes=frozenset({NodeId("edge-1")}), settled_at=NOW + 1)
        await lead.advance_rollout(replace(drafted, id=1), first, "replica-1")
        second = replace(first, wave=1, wave_since=NOW + 6, settled_at=None)
        await lead.advance_rollout(first, second, "replica-2")
        await lead.advance_rollout(second, second.stopped("node edge-1 rejected it: no"), "replica-2")
        await rollouting.start(registry.rollouts, Word(by="ann", message="mended"), waves=Waves("all"))
        await rollouting.abort(registry.rollouts, Word(by="bob", message="too late"))

    events = await list_audit(registry, AuditQuery(operation="rollout-1"))
    assert {told(each)[3:] for each in events} == {("rollout", None, None)}
    assert [(*told(each)[:3], (each.after or {})["state"], (each.after or {})["wave"]) for each in events[::-1]] == [
        ("replica-1", "rollout propose", "", "running", 0),
        ("replica-2", "rollout wave", "", "running", 1),
        ("replica-2", "rollout stop", "", "stopped", 1),
        ("ann", "rollout start", "mended", "running", 0),
        ("bob", "rollout abort", "too late", "stopped", 0),
    ]
    before = events[3].before or {}
    assert (before["settled_at"], before["nodes"]) == ("2027-01-15T08:00:01.123456+00:00", ["edge-1"])
    assert (events[1].before or {})["reason"] == "node edge-1 rejected it: no"
    assert (events[1].after or {})["waves"] == "all"
    assert (events[0].after or {})["reason"] == "aborted by bob: too late"
