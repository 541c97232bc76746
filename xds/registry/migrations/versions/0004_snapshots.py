"""Snapshots: each one numbered, its content as rows with a range of validity; and what operators decided.

A resource's row is valid for the snapshots from `valid_from` up to, and not including, `valid_to`; a row that is in
force has no end.
"""

from alembic import op

revision = "0004_snapshots"
down_revision = "0003_api_keys"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE snapshots (
    number        bigint      CONSTRAINT snapshots_pk PRIMARY KEY,
    at            timestamptz NOT NULL,
    published_by  text        NOT NULL,
    kind          text        NOT NULL,
    message       text        NOT NULL,
    revision      bigint      NOT NULL,
    digest        text        NOT NULL,
    counts        jsonb       NOT NULL,
    upserts       bigint      NOT NULL,
    removed       bigint      NOT NULL,
    structure     text        NOT NULL,
    node_groups   text[]      NOT NULL,
    apart         text[]      NOT NULL
);

CREATE TABLE snapshot_resources (
    node_group    text        NOT NULL,
    kind          text        NOT NULL,
    name          text        NOT NULL,
    version       text        NOT NULL,
    body          bytea       NOT NULL,
    needs         text[]      NOT NULL,
    awaits        text[]      NOT NULL,
    ttl           integer,
    valid_from    bigint      NOT NULL,
    valid_to      bigint,
    CONSTRAINT snapshot_resources_pk PRIMARY KEY (node_group, kind, name, valid_from)
);

CREATE INDEX snapshot_resources_from ON snapshot_resources (valid_from);

CREATE INDEX snapshot_resources_to ON snapshot_resources (valid_to);

CREATE TABLE publish_policy (
    only_row      boolean     NOT NULL DEFAULT true CONSTRAINT publish_policy_pk PRIMARY KEY,
    CONSTRAINT publish_policy_is_one_row CHECK (only_row),
    mode          text        NOT NULL DEFAULT 'auto'
    CONSTRAINT publish_policy_mode_known CHECK (mode IN ('auto', 'manual')),
    is_frozen     boolean     NOT NULL DEFAULT false,
    pinned        bigint      CONSTRAINT publish_policy_pinned_exists REFERENCES snapshots (number),
    approved      text        NOT NULL DEFAULT '',
    by            text        NOT NULL DEFAULT '',
    message       text        NOT NULL DEFAULT '',
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- which decision, by its `at`, the publisher has acted on
    acted_at      timestamptz
);

INSERT INTO publish_policy DEFAULT VALUES;

-- One row while something is held: what differs from the snapshot in force, as far as an operator can read it.
CREATE TABLE snapshot_candidate (
    only_row      boolean     NOT NULL DEFAULT true CONSTRAINT snapshot_candidate_pk PRIMARY KEY,
    CONSTRAINT snapshot_candidate_is_one_row CHECK (only_row),
    digest        text        NOT NULL,
    revision      bigint      NOT NULL,
    reason        text        NOT NULL,
    counts        jsonb       NOT NULL,
    upserts       bigint      NOT NULL,
    removed       bigint      NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE snapshot_candidate_resources (
    node_group    text        NOT NULL,
    kind          text        NOT NULL,
    name          text        NOT NULL,
    version       text,
    body          bytea,
    CONSTRAINT snapshot_candidate_resources_pk PRIMARY KEY (node_group, kind, name)
);

CREATE FUNCTION snapshot_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('alphaswarm_snapshots', '');
    RETURN NULL;
END $$;

CREATE TRIGGER snapshots_notify AFTER INSERT ON snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION snapshot_notify();

CREATE TRIGGER publish_policy_notify AFTER UPDATE OF at ON publish_policy
    FOR EACH STATEMENT EXECUTE FUNCTION snapshot_notify();
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Remove them and every snapshot."""
    op.execute(
        "DROP TABLE snapshot_candidate_resources, snapshot_candidate, publish_policy, snapshot_resources, snapshots"
    )
    op.execute("DROP FUNCTION snapshot_notify()")
