"""Rollouts of structure, and the fleet as all replicas see it."""

from alembic import op

revision = "0006_rollouts"
down_revision = "0004_snapshots"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE rollouts (
    id            bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT rollouts_pk PRIMARY KEY,
    structure     text        NOT NULL,
    waves         text        NOT NULL,
    soak_seconds  double precision NOT NULL CONSTRAINT rollouts_soak_valid CHECK (soak_seconds >= 0),
    state         text        NOT NULL
    CONSTRAINT rollouts_state_known CHECK (state IN ('pending', 'running', 'done', 'stopped')),
    wave          integer     NOT NULL DEFAULT 0,
    wave_since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at    timestamptz,
    nodes         text[]      NOT NULL DEFAULT '{}',
    reason        text        NOT NULL DEFAULT '',
    by            text        NOT NULL DEFAULT '',
    message       text        NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz
);

CREATE TRIGGER rollouts_notify AFTER INSERT OR UPDATE ON rollouts
    FOR EACH STATEMENT EXECUTE FUNCTION snapshot_notify();

CREATE TABLE replicas (
    name          text        CONSTRAINT replicas_pk PRIMARY KEY,
    version       text        NOT NULL,
    started_at    timestamptz NOT NULL,
    seen_at       timestamptz NOT NULL,
    snapshot      bigint      NOT NULL,
    publishes     boolean     NOT NULL
);

CREATE TABLE fleet_nodes (
    replica       text        NOT NULL
    CONSTRAINT fleet_nodes_replica_exists REFERENCES replicas (name) ON DELETE CASCADE,
    node_id       text        NOT NULL,
    node_group    text        NOT NULL,
    lane          text        NOT NULL,
    region        text        NOT NULL,
    zone          text        NOT NULL,
    labels        jsonb       NOT NULL,
    user_agent    text        NOT NULL,
    variant       text        NOT NULL,
    peer          text        NOT NULL,
    connected_at  timestamptz NOT NULL,
    gone_at       timestamptz,
    is_settled    boolean     NOT NULL,
    behind_since  timestamptz,
    error         text        NOT NULL,
    types         jsonb       NOT NULL,
    CONSTRAINT fleet_nodes_pk PRIMARY KEY (replica, node_id)
);
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.strip().split("\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TABLE fleet_nodes, replicas, rollouts")
