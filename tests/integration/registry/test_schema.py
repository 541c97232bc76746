"""What the database itself refuses, and what it logs."""

from typing import Any

import asyncpg
import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.registry.faults import CONSTRAINTS, explain

CELL = "INSERT INTO cells (id) VALUES ('cell-a')"
ENDPOINT = "INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', '10.0.0.1', 80)"
TENANT = "INSERT INTO tenants (id, cell_id) VALUES ('acme', 'cell-a')"
KEY = """INSERT INTO api_keys (id, tenant_id, name, hash, created_by, expires_at)
VALUES ('0123456789abcdef', 'acme', 'ci', decode(repeat('00', 32), 'hex'), 'me', now() + interval '1 day')"""

REFUSED = [
    (CELL, "cells_pk"),
    ("INSERT INTO cells (id) VALUES ('shared')", "cells_id_valid"),
    ("INSERT INTO cells (id) VALUES ('cell-')", "cells_id_valid"),
    ("INSERT INTO cells (id) VALUES ('cell-A')", "cells_id_valid"),
    ("INSERT INTO cells (id) VALUES ('cell-a-')", "cells_id_valid"),
    ("INSERT INTO cells (id) VALUES (E'cell-b\\n')", "cells_id_valid"),
    ("INSERT INTO cells (id) VALUES ('cell-' || repeat('x', 44))", "cells_id_valid"),
    ("INSERT INTO cells (id, state) VALUES ('cell-b', 'asleep')", "cells_state_known"),
    ("INSERT INTO cells (id, tenancy) VALUES ('cell-b', 'both')", "cells_tenancy_known"),
    ("INSERT INTO cells (id, tier) VALUES ('cell-b', '')", "cells_tier_valid"),
    ("INSERT INTO cells (id, region) VALUES ('cell-b', 'a b')", "cells_region_valid"),
    ("INSERT INTO cells (id, labels) VALUES ('cell-b', '[]')", "cells_labels_valid"),
    ("""INSERT INTO cells (id, labels) VALUES ('cell-b', '{"a": 1}')""", "cells_labels_valid"),
    ("""INSERT INTO cells (id, labels) VALUES ('cell-b', '{"a": ["x"]}')""", "cells_labels_valid"),
    ("INSERT INTO cells (id, protocol) VALUES ('cell-b', 'http3')", "cells_protocol_known"),
    (ENDPOINT, "endpoints_pk"),
    ("INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-q', 'h', 80)", "endpoints_cell_exists"),
    ("INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', '', 80)", "endpoints_address_valid"),
    ("INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', 'a b', 80)", "endpoints_address_valid"),
    (
        "INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', repeat('a', 254), 80)",
        "endpoints_address_valid",
    ),
    ("INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', 'h', 0)", "endpoints_port_valid"),
    ("INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', 'h', 65536)", "endpoints_port_valid"),
    ("INSERT INTO endpoints (cell_id, address, port, zone) VALUES ('cell-a', 'h', 1, ' ')", "endpoints_zone_valid"),
    ("INSERT INTO endpoints (cell_id, address, port, weight) VALUES ('cell-a', 'h', 1, 0)", "endpoints_weight_valid"),
    (
        "INSERT INTO endpoints (cell_id, address, port, weight) VALUES ('cell-a', 'h', 1, 1001)",
        "endpoints_weight_valid",
    ),
    (TENANT, "tenants_pk"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('-', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('-/cell-a', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES (' a', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('a ', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('a,b', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('a/b', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('.a', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES (E'a\\x01', 'cell-a')", "tenants_id_valid"),
    ("UPDATE tenants SET id = '-'", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('a b', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES (E'a\\n', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('ä', 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES (repeat('a', 129), 'cell-a')", "tenants_id_valid"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('true', 'cell-a')", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('false', 'cell-a')", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('null', 'cell-a')", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('1234567890123456', 'cell-a')", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('1.5', 'cell-a')", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('1e-07', 'cell-a')", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('1.25e-07', 'cell-a')", "tenants_id_no_claim"),
    ("UPDATE tenants SET id = 'true'", "tenants_id_no_claim"),
    ("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-q')", "tenants_cell_exists"),
    ("INSERT INTO tenants (id, cell_id, state) VALUES ('b', 'cell-a', 'gone')", "tenants_state_known"),
    ("UPDATE tenants SET previous_cell = 'cell-b'", "tenants_previous_cell_dated"),
    ("UPDATE tenants SET moved_at = now()", "tenants_previous_cell_dated"),
    ("DELETE FROM cells", "tenants_cell_exists"),
    (KEY, "api_keys_pk"),
    (KEY.replace("0123456789abcdef", "0123456789abcdeF"), "api_keys_id_valid"),
    (KEY.replace("0123456789abcdef", "0"), "api_keys_id_valid"),
    (KEY.replace("0123456789abcdef", "0" * 16).replace("acme", "nobody"), "api_keys_tenant_exists"),
    (KEY.replace("0123456789abcdef", "0" * 16).replace("ci", ""), "api_keys_name_valid"),
    (KEY.replace("0123456789abcdef", "0" * 16).replace("'ci'", "repeat('x', 101)"), "api_keys_name_valid"),
    (KEY.replace("0123456789abcdef", "0" * 16).replace("'ci'", "E'a\\nb'"), "api_keys_name_valid"),
    (KEY.replace("0123456789abcdef", "0" * 16).replace("32", "31"), "api_keys_hash_valid"),
    (KEY.replace("0123456789abcdef", "0" * 16).replace("'1 day'", "'0 day'"), "api_keys_expiry_valid"),
]

ACCEPTED = [
    "INSERT INTO cells (id) VALUES ('cell-' || repeat('x', 43))",
    """INSERT INTO cells (id, labels) VALUES ('cell-b', '{"a": "1", "b": ""}')""",
    "INSERT INTO endpoints (cell_id, address, port, weight) VALUES ('cell-a', 'fd00::1', 65535, 1000)",
    "INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-a', '10.0.0.1', 81)",
    "INSERT INTO tenants (id, cell_id) VALUES ('0.A_b-' || repeat('c', 122), 'cell-a')",
    "INSERT INTO tenants (id, cell_id) VALUES ('123456789012345', 'cell-a'), ('12e45678', 'cell-a')",
    "INSERT INTO tenants (id, cell_id) VALUES ('1.2.3', 'cell-a'), ('true.', 'cell-a'), ('TRUE', 'cell-a')",
]


@pytest.fixture
async def seeded(sql: asyncpg.Connection) -> asyncpg.Connection:
    for statement in (CELL, ENDPOINT, TENANT, KEY):
        await sql.execute(statement)
    return sql


async def logged(sql: asyncpg.Connection, *statements: str) -> list[tuple[str, str]]:
    """What the log has of `statements`, run in one transaction."""
    before = await sql.fetchval("SELECT coalesce(max(revision), 0) FROM change_log")
    async with sql.transaction():
        for statement in statements:
            await sql.execute(statement)
    rows = await sql.fetch("SELECT kind, id FROM change_log WHERE revision > $1 ORDER BY revision", before)
    return [(row["kind"], row["id"]) for row in rows]


@pytest.mark.parametrize(("statement", "constraint"), REFUSED)
async def test_nonsense_is_refused_by_a_named_constraint(
    seeded: asyncpg.Connection, statement: str, constraint: str
) -> None:
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refusal:
        await seeded.execute(statement)
    assert refusal.value.constraint_name == constraint


@pytest.mark.parametrize("statement", ACCEPTED)
async def test_the_limits_themselves_are_accepted(seeded: asyncpg.Connection, statement: str) -> None:
    await seeded.execute(statement)


async def test_every_constraint_has_a_message_and_every_message_a_constraint(sql: asyncpg.Connection) -> None:
    rows = await sql.fetch(
        """SELECT conname FROM pg_constraint WHERE contype IN ('c', 'p', 'f')
           AND conrelid IN ('cells'::regclass, 'endpoints'::regclass, 'tenants'::regclass, 'api_keys'::regclass,
                                'overrides'::regclass)"""
    )
    assert {row["conname"] for row in rows} == set(CONSTRAINTS)


@pytest.mark.parametrize(
    ("statement", "kind", "words"),
    [
        (TENANT, Conflict, "a tenant with this id exists already (Key (id)=(acme)"),
        ("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-q')", NotFound, "(Key (cell_id)=(cell-q)"),
        ("INSERT INTO cells (id) VALUES ('x')", RequestError, "a cell id is 'cell-'"),
        ("INSERT INTO tenants (id) VALUES ('b')", RequestError, 'null value in column "cell_id"'),
    ],
)
async def test_a_refusal_becomes_one_line(
    seeded: asyncpg.Connection, statement: str, kind: type[RequestError], words: str
) -> None:
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await seeded.execute(statement)
    error = explain(refusal.value, "here")
    assert type(error) is kind
    assert words in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("table", ["cells", "endpoints", "tenants", "change_log", "change_log_floor"])
async def test_truncate_is_refused(seeded: asyncpg.Connection, table: str) -> None:
    with pytest.raises(asyncpg.FeatureNotSupportedError, match=f"TRUNCATE {table} is refused.*use DELETE"):
        await seeded.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["INSERT INTO cells (id) VALUES ('cell-b')"], [("cell", "cell-b")]),
        (["UPDATE cells SET state = 'active'"], [("cell", "cell-a")]),
        (["UPDATE cells SET state = state, updated_at = now()"], []),
        (["UPDATE cells SET id = 'cell-b'"], [("cell", "cell-a"), ("cell", "cell-b"), ("tenant", "acme")]),
        (
            ["DELETE FROM tenants", "DELETE FROM cells"],
            [("tenant", "acme"), ("cell", "cell-a"), ("api_key", "0123456789abcdef")],
        ),
        (["UPDATE endpoints SET weight = 2"], [("cell", "cell-a")]),
        (["UPDATE endpoints SET weight = weight"], []),
        (["DELETE FROM endpoints"], [("cell", "cell-a")]),
        (
            ["INSERT INTO cells (id) VALUES ('cell-b')", "UPDATE endpoints SET cell_id = 'cell-b'"],
            [("cell", "cell-a"), ("cell", "cell-b")],
        ),
        (["UPDATE tenants SET state = 'suspended'"], [("tenant", "acme")]),
        (["UPDATE tenants SET state = 'moving'"], [("tenant", "acme")]),
        (["UPDATE tenants SET state = state"], []),
        (["UPDATE tenants SET previous_cell = 'cell-b', moved_at = now()"], [("tenant", "acme")]),
        (["UPDATE tenants SET previous_cell = NULL, moved_at = NULL"], []),
        (
            ["UPDATE tenants SET id = 'globex'"],
            [("tenant", "acme"), ("tenant", "globex"), ("api_key", "0123456789abcdef")],
        ),
        (["DELETE FROM tenants"], [("tenant", "acme"), ("api_key", "0123456789abcdef")]),
        (["UPDATE api_keys SET revoked_at = now()"], [("api_key", "0123456789abcdef")]),
        (["UPDATE api_keys SET last_used_at = now()"], []),
        (["DELETE FROM api_keys"], [("api_key", "0123456789abcdef")]),
    ],
)
async def test_the_log_names_what_changed_and_nothing_else(
    seeded: asyncpg.Connection, statements: list[str], expected: list[tuple[str, str]]
) -> None:
    assert list(dict.fromkeys(sorted(await logged(seeded, *statements)))) == sorted(expected)


async def test_what_is_rolled_back_is_not_logged(seeded: asyncpg.Connection) -> None:
    transaction = seeded.transaction()
    await transaction.start()
    await seeded.execute("UPDATE tenants SET state = 'suspended'")
    await transaction.rollback()
    assert await logged(seeded, "UPDATE cells SET tier = 'gold'") == [("cell", "cell-a")]


async def test_a_writer_with_another_search_path_is_logged(seeded: asyncpg.Connection) -> None:
    await seeded.execute("SET search_path = pg_catalog")
    await seeded.execute("UPDATE public.tenants SET state = 'suspended'")
    await seeded.execute("RESET search_path")
    newest: Any = await seeded.fetchrow("SELECT kind, id FROM change_log ORDER BY revision DESC LIMIT 1")
    assert tuple(newest) == ("tenant", "acme")


async def test_updated_at_follows_a_change_and_only_a_change(seeded: asyncpg.Connection) -> None:
    async def updated() -> Any:
        return await seeded.fetchval("SELECT updated_at FROM tenants")

    first = await updated()
    await seeded.execute("UPDATE tenants SET state = state")
    assert await updated() == first
    await seeded.execute("UPDATE tenants SET state = 'suspended'")
    assert await updated() > first


async def test_a_move_by_whatever_means_is_noted(seeded: asyncpg.Connection) -> None:
    await seeded.execute("INSERT INTO cells (id) VALUES ('cell-b')")
    assert await arrival(seeded) == (None, None)
    await seeded.execute("UPDATE tenants SET state = 'moving', cell_id = cell_id")
    assert await arrival(seeded) == (None, None)
    await seeded.execute("UPDATE tenants SET cell_id = 'cell-b', previous_cell = 'a lie', moved_at = now()")
    previous, at = await arrival(seeded)
    assert previous == "cell-a"
    assert at > await seeded.fetchval("SELECT now() - interval '1 minute'")
    await seeded.execute("UPDATE cells SET id = 'cell-c' WHERE id = 'cell-b'")
    assert (await arrival(seeded))[0] == "cell-b"


async def test_a_move_is_dated_when_it_is_made_not_when_its_transaction_began(seeded: asyncpg.Connection) -> None:
    await seeded.execute("INSERT INTO cells (id) VALUES ('cell-b')")
    async with seeded.transaction():
        await seeded.execute("SELECT pg_sleep(0.05)")
        await seeded.execute("UPDATE tenants SET cell_id = 'cell-b'")
        assert (await arrival(seeded))[1] > await seeded.fetchval("SELECT now()")


async def test_a_grace_can_be_ended_by_hand(seeded: asyncpg.Connection) -> None:
    await seeded.execute("INSERT INTO cells (id) VALUES ('cell-b')")
    await seeded.execute("UPDATE tenants SET cell_id = 'cell-b'")
    revoke = "UPDATE tenants SET previous_cell = NULL, moved_at = NULL"
    assert await logged(seeded, revoke) == [("tenant", "acme")]
    assert await arrival(seeded) == (None, None)


async def arrival(sql: asyncpg.Connection) -> Any:
    """From where the tenant came last, and when."""
    return tuple(await sql.fetchrow("SELECT previous_cell, moved_at FROM tenants"))
