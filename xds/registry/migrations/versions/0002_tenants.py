"""Tenants that move: the state `moving`, and from which cell a tenant came and when. And ids that none may have.

The database itself notes where a tenant came from, whoever moves it and by whatever means.
"""

from alembic import op

revision = "0002_tenants"
down_revision = "0001_registry"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE tenants
    ADD COLUMN previous_cell text,
    ADD COLUMN moved_at timestamptz,
    -- a cell that it came from may be gone by now: no foreign key
    ADD CONSTRAINT tenants_previous_cell_dated CHECK ((previous_cell IS NULL) = (moved_at IS NULL)),
    DROP CONSTRAINT tenants_state_known,
    ADD CONSTRAINT tenants_state_known CHECK (state IN ({states})),
    -- Envoys would find it by claims that are no text; xds/model/tenantid.py has the rest, which is not for SQL
    ADD CONSTRAINT tenants_id_no_claim
        CHECK (id !~ '^(true|false|null|[0-9]{{16,}}|[0-9]+[.][0-9]+(e-[0-9]+)?|[0-9]+e-[0-9]+)$')
"""

# clock_timestamp(): a transaction that stays open must not use up the grace of those that it moves.
NOTE_MOVE = """
CREATE FUNCTION registry_note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.previous_cell := OLD.cell_id;
    NEW.moved_at := clock_timestamp();
    RETURN NEW;
END $$
"""

NOTE_MOVE_TRIGGER = """
CREATE TRIGGER tenants_note_move BEFORE UPDATE ON tenants
    FOR EACH ROW WHEN (OLD.cell_id IS DISTINCT FROM NEW.cell_id) EXECUTE FUNCTION registry_note_move()
"""

BEFORE = "id, cell_id, state"
AFTER = "id, cell_id, state, previous_cell, moved_at"


def upgrade() -> None:
    """Let tenants move, and note it."""
    op.execute(COLUMNS.format(states="'active', 'suspended', 'moving'"))
    op.execute(NOTE_MOVE)
    op.execute(NOTE_MOVE_TRIGGER)
    _log_changes_of(AFTER)


def downgrade() -> None:
    """Forget it; a tenant that is moving is active again."""
    op.execute("DROP TRIGGER tenants_note_move ON tenants")
    op.execute("DROP FUNCTION registry_note_move()")
    _log_changes_of(BEFORE)
    op.execute("UPDATE tenants SET state = 'active' WHERE state = 'moving'")
    # The log's triggers are deferred: the table can't be altered while they wait.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("ALTER TABLE tenants DROP CONSTRAINT tenants_state_known, DROP CONSTRAINT tenants_id_no_claim")
    op.execute("ALTER TABLE tenants DROP COLUMN previous_cell, DROP COLUMN moved_at")
    op.execute("ALTER TABLE tenants ADD CONSTRAINT tenants_state_known CHECK (state IN ('active', 'suspended'))")


def _log_changes_of(columns: str) -> None:
    """Have a change of these columns, and of no others, logged as a change of the topology."""
    old, new = (", ".join(f"{row}.{column}" for column in columns.split(", ")) for row in ("OLD", "NEW"))
    changed = f"({old}) IS DISTINCT FROM ({new})"
    op.execute("DROP TRIGGER tenants_log_update ON tenants")
    op.execute(
        "CREATE CONSTRAINT TRIGGER tenants_log_update AFTER UPDATE ON tenants DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION registry_log_row('tenant')"
    )
    op.execute("DROP TRIGGER tenants_touch ON tenants")
    op.execute(
        "CREATE TRIGGER tenants_touch BEFORE UPDATE ON tenants"
        f" FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION registry_touch()"
    )
