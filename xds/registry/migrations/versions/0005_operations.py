"""What operators need: an audit trail, capacities, overrides, and the state of drains and of moves in phases.

The database itself writes the audit trail, whoever changes something and by whatever means. Who it is, what it is
called and why it is done are settings of the transaction (`alphaswarm.actor`, …); else it is the session's user.
"""

from alembic import op

revision = "0005_operations"
down_revision = "0004_snapshots"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE audit (
    id           bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pk PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor        text        NOT NULL,
    action       text        NOT NULL,
    -- what was done at once, or bit by bit by one drain, has one operation
    operation_id text        NOT NULL,
    message      text        NOT NULL DEFAULT '',
    kind         text        NOT NULL,
    -- the cell that the event is about: a tenant's is where it lives after it
    cell_id      text,
    tenant_id    text,
    CONSTRAINT audit_cell_known CHECK (cell_id IS NOT NULL OR tenant_id IS NULL),
    before       jsonb,
    after        jsonb
);

CREATE INDEX audit_by_cell ON audit (cell_id, id);

CREATE INDEX audit_by_tenant ON audit (tenant_id, id) WHERE tenant_id IS NOT NULL;

CREATE INDEX audit_by_operation ON audit (operation_id);

CREATE INDEX audit_by_time ON audit (at);

ALTER TABLE cells ADD COLUMN capacity integer CONSTRAINT cells_capacity_valid CHECK (capacity >= 0);

CREATE TABLE overrides (
    tenant_id  text        CONSTRAINT overrides_pk PRIMARY KEY
    CONSTRAINT overrides_tenant_exists REFERENCES tenants (id) ON DELETE CASCADE ON UPDATE CASCADE,
    cell_id    text        NOT NULL
    CONSTRAINT overrides_cell_exists REFERENCES cells (id) ON DELETE RESTRICT ON UPDATE CASCADE,
    kind       text        NOT NULL
    CONSTRAINT overrides_kind_known CHECK (kind IN ('testing', 'isolation', 'quarantine')),
    owner      text        NOT NULL CONSTRAINT overrides_owner_valid CHECK (length(owner) BETWEEN 1 AND 200),
    reason     text        NOT NULL CONSTRAINT overrides_reason_valid CHECK (length(reason) BETWEEN 1 AND 1000),
    set_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL
);

CREATE INDEX overrides_by_cell ON overrides (cell_id);

CREATE TABLE drains (
    id         text        CONSTRAINT drains_pk PRIMARY KEY,
    cell_id    text        NOT NULL
    CONSTRAINT drains_cell_exists REFERENCES cells (id) ON DELETE CASCADE ON UPDATE CASCADE,
    -- the cell that the tenants go to; NULL: where the placement policy puts each
    to_cell    text,
    -- the cell's state before
    was        text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    undone_at  timestamptz
);

CREATE UNIQUE INDEX drains_open ON drains (cell_id) WHERE ended_at IS NULL;

CREATE TABLE moves (
    tenant_id    text        CONSTRAINT moves_pk PRIMARY KEY
    CONSTRAINT moves_tenant_exists REFERENCES tenants (id) ON DELETE CASCADE ON UPDATE CASCADE,
    operation_id text        NOT NULL,
    from_cell    text        NOT NULL,
    to_cell      text        NOT NULL,
    -- the tenant's state before
    was          text        NOT NULL,
    phase        text        NOT NULL CONSTRAINT moves_phase_known CHECK (phase IN ('prepared', 'held', 'switched')),
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

# An override moves a tenant as surely as a change of its row does, and so changes that row: this has it logged, dates
# the grace of its tokens, and keeps two writers of one tenant apart.
FUNCTIONS = """
CREATE FUNCTION registry_note_override() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE tenants SET previous_cell = cell_id, moved_at = clock_timestamp()
         WHERE id = NEW.tenant_id AND cell_id <> NEW.cell_id;
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE tenants SET previous_cell = OLD.cell_id, moved_at = clock_timestamp()
         WHERE id = OLD.tenant_id AND cell_id <> OLD.cell_id;
    ELSIF NEW.cell_id <> OLD.cell_id THEN
        UPDATE tenants SET previous_cell = OLD.cell_id, moved_at = clock_timestamp() WHERE id = NEW.tenant_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER overrides_note AFTER INSERT OR UPDATE OR DELETE ON overrides
    FOR EACH ROW EXECUTE FUNCTION registry_note_override();

CREATE OR REPLACE FUNCTION registry_note_move() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT FROM overrides WHERE tenant_id = OLD.id) THEN
        NEW.previous_cell := OLD.previous_cell;
        NEW.moved_at := OLD.moved_at;
    ELSE
        NEW.previous_cell := OLD.cell_id;
        NEW.moved_at := clock_timestamp();
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION audit_setting(name text, otherwise text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('alphaswarm.' || name, true), ''), otherwise)
$$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% audit is refused: what was done stays done', TG_OP USING ERRCODE = 'feature_not_supported';
END $$;

CREATE TRIGGER audit_refuse BEFORE UPDATE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
"""

NOTE_MOVE_BEFORE = """
CREATE OR REPLACE FUNCTION registry_note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.previous_cell := OLD.cell_id;
    NEW.moved_at := clock_timestamp();
    RETURN NEW;
END $$
"""

# Each table: what its rows are called, its key, the columns that are told, and whose row the cell and the tenant are.
# A key that goes with its tenant has no tenant to tell of, and is not told: the tenant is.
AUDITED = {
    "cells": (
        "cell",
        ("id",),
        ("state", "tenancy", "tier", "region", "labels", "protocol", "capacity"),
        ("{row}.id", "NULL::text", ""),
    ),
    "endpoints": (
        "endpoint",
        ("cell_id", "address", "port"),
        ("address", "port", "zone", "weight"),
        ("{row}.cell_id", "NULL::text", ""),
    ),
    "tenants": ("tenant", ("id",), ("cell_id", "state"), ("{row}.cell_id", "{row}.id", "")),
    "overrides": (
        "override",
        ("tenant_id",),
        ("cell_id", "kind", "owner", "reason", "expires_at"),
        ("{row}.cell_id", "{row}.tenant_id", ""),
    ),
    "api_keys": (
        "api_key",
        ("id",),
        ("id", "name", "expires_at", "revoked_at"),
        ("tenant.cell_id", "{row}.tenant_id", "JOIN tenants AS tenant ON tenant.id = {row}.tenant_id"),
    ),
}

AUDIT_FUNCTION = """
CREATE FUNCTION audit_{table}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {insert}
    ELSIF TG_OP = 'DELETE' THEN
        {delete}
    ELSE
        {update}
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER {table}_audit_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_{table}();

CREATE TRIGGER {table}_audit_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_{table}();

CREATE TRIGGER {table}_audit_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_{table}();
"""

INSERT_EVENTS = """INSERT INTO audit (actor, action, operation_id, message, kind, cell_id, tenant_id, before, after)
        SELECT audit_setting('actor', session_user), audit_setting('action', 'sql'),
               audit_setting('operation', 'tx-' || txid_current()), audit_setting('message', ''),
               '{kind}', {cell}, {tenant}, {before}, {after}
          FROM {source} {join}{where};"""


def upgrade() -> None:
    """Make it all."""
    _execute(TABLES)
    _execute(FUNCTIONS)
    for table in AUDITED:
        _execute(_audit_function(table))


def downgrade() -> None:
    """Forget it; tenants are where the registry placed them again."""
    op.execute("DELETE FROM overrides")
    # The log's triggers are deferred: no table can be altered while they wait.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute(NOTE_MOVE_BEFORE)
    op.execute("DROP TABLE moves, drains, overrides")
    for table in AUDITED:
        op.execute(f"DROP FUNCTION audit_{table} CASCADE")
    op.execute("DROP TABLE audit")
    for function in ("audit_refuse()", "audit_setting(text, text)", "registry_note_override()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("ALTER TABLE cells DROP COLUMN capacity")


def _audit_function(table: str) -> str:
    kind, key, columns, (cell, tenant, join) = AUDITED[table]

    def told(row: str) -> str:
        return "jsonb_build_object(" + ", ".join(f"'{name}', {row}.{name}" for name in columns) + ")"

    def events(source: str, row: str, *, before: str, after: str, where: str = "") -> str:
        return INSERT_EVENTS.format(
            kind=kind,
            cell=cell.format(row=row),
            tenant=tenant.format(row=row),
            before=before,
            after=after,
            source=source,
            join=join.format(row=row),
            where=where,
        )

    same = " AND ".join(f"n.{name} = o.{name}" for name in key)
    differ = f"({_list('o', columns)}) IS DISTINCT FROM ({_list('n', columns)})"
    # A row whose key has changed is one that went and one that came.
    gone = f" WHERE NOT EXISTS (SELECT FROM new_rows AS n WHERE {same})"
    came = f" WHERE NOT EXISTS (SELECT FROM old_rows AS o WHERE {same})"
    update = (
        events(
            f"old_rows AS o JOIN new_rows AS n ON {same}",
            "n",
            before=told("o"),
            after=told("n"),
            where=f" WHERE {differ}",
        ),
        events("old_rows AS o", "o", before=told("o"), after="NULL", where=gone),
        events("new_rows AS n", "n", before="NULL", after=told("n"), where=came),
    )
    return AUDIT_FUNCTION.format(
        table=table,
        insert=events("new_rows AS n", "n", before="NULL", after=told("n")),
        delete=events("old_rows AS o", "o", before=told("o"), after="NULL"),
        update="\n        ".join(update),
    )


def _list(row: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{row}.{name}" for name in columns)


def _execute(script: str) -> None:
    # asyncpg prepares one statement at a time; in these scripts each is a paragraph.
    for statement in script.strip().split("\n\n"):
        op.execute(statement)
