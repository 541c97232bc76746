"""The registry: cells, endpoints, tenants, and a change log in commit order.

Everything the database refuses it refuses under a constraint with a telling name; `xds.registry.faults`
has the sentence for each.
"""
# ruff: noqa: S608 -- what is put into the SQL stands in this file

from alembic import op

revision = "0001_registry"
down_revision = None
branch_labels = None
depends_on = None

# "alphaxds" in ASCII: the advisory lock under which changes are numbered.
NUMBERING_LOCK = 0x616C706861786473

# What a Kubernetes label value may be: zones, tiers and regions are often copied from one.
LABEL = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"

TABLES = f"""
CREATE TABLE cells (
    id         text        CONSTRAINT cells_pk PRIMARY KEY,
    -- `alphaswarm-<id>-api` must be a DNS label of at most 63 characters: the id has 48, 5 of them `cell-`
    CONSTRAINT cells_id_valid CHECK (id ~ '^cell-[a-z0-9]([a-z0-9-]{{0,41}}[a-z0-9])?$'),
    state      text        NOT NULL DEFAULT 'provisioning'
    CONSTRAINT cells_state_known CHECK (state IN ('provisioning', 'active', 'draining', 'cordoned', 'retired')),
    tenancy    text        NOT NULL DEFAULT 'shared'
    CONSTRAINT cells_tenancy_known CHECK (tenancy IN ('shared', 'dedicated')),
    tier       text        NOT NULL DEFAULT 'std'   CONSTRAINT cells_tier_valid CHECK (tier ~ '{LABEL}'),
    region     text        NOT NULL DEFAULT 'local' CONSTRAINT cells_region_valid CHECK (region ~ '{LABEL}'),
    -- strict: lax would look inside an array of strings and find only strings
    labels     jsonb       NOT NULL DEFAULT '{{}}'
    CONSTRAINT cells_labels_valid CHECK (
        jsonb_typeof(labels) = 'object' AND NOT jsonb_path_exists(labels, 'strict $.* ? (@.type() != "string")')
    ),
    protocol   text        NOT NULL DEFAULT 'http1'
    CONSTRAINT cells_protocol_known CHECK (protocol IN ('http1', 'http2')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE endpoints (
    cell_id    text        NOT NULL
    CONSTRAINT endpoints_cell_exists REFERENCES cells (id) ON DELETE CASCADE ON UPDATE CASCADE,
    address    text        NOT NULL
    CONSTRAINT endpoints_address_valid CHECK (length(address) <= 253 AND address ~ '^[A-Za-z0-9._:-]+$'),
    port       integer     NOT NULL CONSTRAINT endpoints_port_valid CHECK (port BETWEEN 1 AND 65535),
    zone       text        NOT NULL DEFAULT '' CONSTRAINT endpoints_zone_valid CHECK (zone = '' OR zone ~ '{LABEL}'),
    weight     integer     NOT NULL DEFAULT 1  CONSTRAINT endpoints_weight_valid CHECK (weight BETWEEN 1 AND 1000),
    CONSTRAINT endpoints_pk PRIMARY KEY (cell_id, address, port)
);

CREATE TABLE tenants (
    id         text        CONSTRAINT tenants_pk PRIMARY KEY,
    -- a plain header value, and never `-`, the tenant of a request that has none
    CONSTRAINT tenants_id_valid CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}$'),
    cell_id    text        NOT NULL
    CONSTRAINT tenants_cell_exists REFERENCES cells (id) ON DELETE RESTRICT ON UPDATE CASCADE,
    state      text        NOT NULL DEFAULT 'active'
    CONSTRAINT tenants_state_known CHECK (state IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX tenants_by_cell ON tenants (cell_id);

-- A sequence and not max(revision) + 1: under REPEATABLE READ the maximum is a stale one.
CREATE SEQUENCE change_log_revision AS bigint;

CREATE TABLE change_log (
    revision   bigint      NOT NULL DEFAULT nextval('change_log_revision') CONSTRAINT change_log_pk PRIMARY KEY,
    kind       text        NOT NULL CONSTRAINT change_log_kind_known CHECK (kind IN ('cell', 'tenant')),
    id         text        NOT NULL,
    -- not now(): that is when the transaction began, which may be long before its change is seen
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER SEQUENCE change_log_revision OWNED BY change_log.revision;

-- One row: the greatest revision that was ever deleted from the log. A reader below it has missed something.
CREATE TABLE change_log_floor (
    only_row   boolean     NOT NULL DEFAULT true CONSTRAINT change_log_floor_pk PRIMARY KEY,
    CONSTRAINT change_log_floor_is_one_row CHECK (only_row),
    revision   bigint      NOT NULL
);

INSERT INTO change_log_floor (revision) VALUES (0);
"""

# The log functions run at COMMIT. The lock is taken before the number and kept until the transaction has
# ended and is visible, so numbers become visible in their order; and because nothing but the commit itself
# happens under it, a transaction that stays open blocks nobody.
FUNCTIONS = f"""
CREATE FUNCTION registry_log_row() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({NUMBERING_LOCK});
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO change_log (kind, id) VALUES (TG_ARGV[0], OLD.id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.id IS DISTINCT FROM OLD.id THEN
        INSERT INTO change_log (kind, id) VALUES (TG_ARGV[0], NEW.id);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION registry_log_endpoint() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({NUMBERING_LOCK});
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO change_log (kind, id) VALUES ('cell', OLD.cell_id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.cell_id IS DISTINCT FROM OLD.cell_id THEN
        INSERT INTO change_log (kind, id) VALUES ('cell', NEW.cell_id);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION registry_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('alphaswarm_registry', '');
    RETURN NULL;
END $$;

CREATE FUNCTION registry_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE FUNCTION registry_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE % is refused: it would bypass the change log; use DELETE', TG_TABLE_NAME
        USING ERRCODE = 'feature_not_supported';
END $$;

CREATE FUNCTION registry_raise_floor() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE change_log_floor AS floor SET revision = gone.revision
      FROM (SELECT max(revision) AS revision FROM deleted) AS gone
     WHERE gone.revision > floor.revision;
    RETURN NULL;
END $$;

CREATE TRIGGER change_log_floor AFTER DELETE ON change_log
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION registry_raise_floor();
"""

# Each table: its function and argument, and the columns whose change is a change of the topology.
LOGGED = {
    "cells": ("registry_log_row('cell')", ("id", "state", "tenancy", "tier", "region", "labels", "protocol")),
    "endpoints": ("registry_log_endpoint()", ("cell_id", "address", "port", "zone", "weight")),
    "tenants": ("registry_log_row('tenant')", ("id", "cell_id", "state")),
}

FUNCTION_NAMES = (
    "registry_log_row",
    "registry_log_endpoint",
    "registry_notify",
    "registry_touch",
    "registry_refuse_truncate",
    "registry_raise_floor",
)


def upgrade() -> None:
    """Make the registry."""
    _execute(TABLES)
    _execute(FUNCTIONS)
    for table, (function, columns) in LOGGED.items():
        _execute(_log_triggers(table, function, _is_changed(columns)))
    for table in ("cells", "tenants"):
        changed = _is_changed(LOGGED[table][1])
        op.execute(
            f"CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table}"
            f" FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION registry_touch()"
        )
    for table in (*LOGGED, "change_log", "change_log_floor"):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION registry_refuse_truncate()"
        )


def downgrade() -> None:
    """Remove the registry and all that is in it."""
    op.execute("DROP TABLE tenants, endpoints, cells, change_log, change_log_floor")
    for name in FUNCTION_NAMES:
        op.execute(f"DROP FUNCTION {name}()")


def _execute(script: str) -> None:
    # asyncpg prepares one statement at a time; in these scripts each is a paragraph.
    for statement in script.strip().split("\n\n"):
        op.execute(statement)


def _log_triggers(table: str, function: str, changed: str) -> str:
    deferred = f"ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
    return f"""
CREATE CONSTRAINT TRIGGER {table}_log AFTER INSERT OR DELETE {deferred} EXECUTE FUNCTION {function};

CREATE CONSTRAINT TRIGGER {table}_log_update AFTER UPDATE {deferred} WHEN ({changed}) EXECUTE FUNCTION {function};

CREATE TRIGGER {table}_notify AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION registry_notify();
"""


def _is_changed(columns: tuple[str, ...]) -> str:
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return f"({old}) IS DISTINCT FROM ({new})"
