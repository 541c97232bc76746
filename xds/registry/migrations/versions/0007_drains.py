"""Drains that servers work off: how, on whose word, how far; and what was ordered, in the audit trail."""

from alembic import op

revision = "0007_drains"
down_revision = "0006_rollouts"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE drains
    -- NULL: whoever began it works it off; else servers do, by these orders
    ADD COLUMN batch         integer CONSTRAINT drains_batch_valid CHECK (batch >= 1),
    ADD COLUMN pause_seconds double precision NOT NULL DEFAULT 0
    CONSTRAINT drains_pause_valid CHECK (pause_seconds >= 0),
    ADD COLUMN policy        text        NOT NULL DEFAULT '',
    ADD COLUMN actor         text        NOT NULL DEFAULT '',
    ADD COLUMN message       text        NOT NULL DEFAULT '',
    -- why no server works at it; empty if one does
    ADD COLUMN stopped       text        NOT NULL DEFAULT '',
    ADD COLUMN failures      integer     NOT NULL DEFAULT 0,
    ADD COLUMN moved         bigint      NOT NULL DEFAULT 0,
    ADD COLUMN changed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
"""

COUNT = """
UPDATE drains SET moved = (
    SELECT count(DISTINCT tenant_id) FROM audit
     WHERE operation_id = drains.id AND kind = 'tenant' AND before ->> 'cell_id' = drains.cell_id)
"""

# What a command works off itself is told by the cell and the tenants.
TOLD = """CASE WHEN {row}.batch IS NOT NULL THEN jsonb_build_object(
        'to_cell', {row}.to_cell, 'batch', {row}.batch, 'pause_seconds', {row}.pause_seconds, 'policy', {row}.policy,
        'stopped', {row}.stopped) END"""

AUDIT_FUNCTION = """
CREATE FUNCTION audit_drains() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    was jsonb;
    now jsonb := {new};
BEGIN
    IF TG_OP = 'UPDATE' THEN
        was := {old};
    END IF;
    IF was IS DISTINCT FROM now THEN
        INSERT INTO audit (actor, action, operation_id, message, kind, cell_id, before, after)
        VALUES (audit_setting('actor', session_user), audit_setting('action', 'sql'), NEW.id,
                audit_setting('message', ''), 'drain', NEW.cell_id, was, now);
    END IF;
    RETURN NULL;
END $$
"""

AUDIT_TRIGGER = """
CREATE TRIGGER drains_audit AFTER INSERT OR UPDATE ON drains FOR EACH ROW EXECUTE FUNCTION audit_drains()
"""


def upgrade() -> None:
    """Make the columns and the trigger."""
    op.execute(COLUMNS)
    op.execute(COUNT)
    op.execute(AUDIT_FUNCTION.format(new=TOLD.format(row="NEW"), old=TOLD.format(row="OLD")))
    op.execute(AUDIT_TRIGGER)


def downgrade() -> None:
    """Remove them; drains that servers work at are gone on with by the command line."""
    op.execute("DROP FUNCTION audit_drains() CASCADE")
    for column in (
        "batch",
        "pause_seconds",
        "policy",
        "actor",
        "message",
        "stopped",
        "failures",
        "moved",
        "changed_at",
    ):
        op.execute(f"ALTER TABLE drains DROP COLUMN {column}")
