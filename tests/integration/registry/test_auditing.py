"""The audit trail: whatever is changed is in it, by whomever and however, in the same transaction."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from xds.errors import Conflict, RequestError
from xds.model import Cell, CellState, Endpoint, Tenant
from xds.names import CellId, TenantId
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
