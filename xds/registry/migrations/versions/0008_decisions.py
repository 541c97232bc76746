"""What is decided about publishing and rollouts, in the audit trail: each decision, and each step of a rollout.

Such an event is about no cell. All events of one rollout have one operation, `rollout-7`.
"""

from alembic import op

revision = "0008_decisions"
down_revision = "0007_drains"
branch_labels = None
depends_on = None

# An approval that has been acted on is taken away by the publisher: that is no decision.
PUBLISHING = """
CREATE FUNCTION audit_publish_policy() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    -- Whoever decides says when and who; else it is plain SQL. ("by" is a word of PL/pgSQL's.)
    is_said  boolean := NEW.at IS DISTINCT FROM OLD.at;
    approves boolean := NEW.approved <> '' AND NEW.approved <> OLD.approved;
    action   text := 'snapshot resume';
BEGIN
    IF NOT approves AND (NEW.mode, NEW.is_frozen, NEW.pinned) IS NOT DISTINCT FROM (OLD.mode, OLD.is_frozen, OLD.pinned)
    THEN
        RETURN NULL;
    END IF;
    IF NOT is_said THEN
        action := 'sql';
    ELSIF approves THEN
        action := 'snapshot publish';
    ELSIF NEW.pinned IS NOT NULL AND NEW.pinned IS DISTINCT FROM OLD.pinned THEN
        action := CASE WHEN NEW.pinned = (SELECT max(number) FROM snapshots) THEN 'snapshot pin'
                       ELSE 'snapshot rollback' END;
    ELSIF NEW.is_frozen AND NOT OLD.is_frozen THEN
        action := 'snapshot freeze';
    ELSIF NEW.mode <> OLD.mode THEN
        action := 'snapshot mode';
    END IF;
    INSERT INTO audit (actor, action, operation_id, message, kind, before, after)
    VALUES (audit_setting('actor', CASE WHEN is_said AND NEW."by" <> '' THEN NEW."by" ELSE session_user END),
            audit_setting('action', action), audit_setting('operation', 'tx-' || txid_current()),
            audit_setting('message', CASE WHEN is_said THEN NEW.message ELSE '' END), 'publishing', {old}, {new});
    RETURN NULL;
END $$
"""

POLICY = """jsonb_build_object('mode', {row}.mode, 'is_frozen', {row}.is_frozen, 'pinned', {row}.pinned,
        'approved', nullif({row}.approved, ''))"""

PUBLISHING_TRIGGER = """
CREATE TRIGGER publish_policy_audit AFTER UPDATE ON publish_policy
    FOR EACH ROW EXECUTE FUNCTION audit_publish_policy()
"""

# That a node was given it, or that a wave has settled, is told with the step that follows.
ROLLOUTS = """
CREATE FUNCTION audit_rollouts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    was jsonb;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.state, NEW.wave, NEW.wave_since, NEW.waves, NEW.soak_seconds)
            IS NOT DISTINCT FROM (OLD.state, OLD.wave, OLD.wave_since, OLD.waves, OLD.soak_seconds)
        THEN
            RETURN NULL;
        END IF;
        was := {old};
    END IF;
    INSERT INTO audit (actor, action, operation_id, message, kind, before, after)
    VALUES (audit_setting('actor', session_user), audit_setting('action', 'sql'), 'rollout-' || NEW.id,
            audit_setting('message', ''), 'rollout', was, {new});
    RETURN NULL;
END $$
"""

ROLLOUT = """jsonb_build_object('structure', md5({row}.structure), 'state', {row}.state, 'waves', {row}.waves,
        'soak_seconds', {row}.soak_seconds, 'wave', {row}.wave, 'wave_since', {row}.wave_since,
        'settled_at', {row}.settled_at, 'nodes', {row}.nodes, 'reason', {row}.reason)"""

ROLLOUTS_TRIGGER = """
CREATE TRIGGER rollouts_audit AFTER INSERT OR UPDATE ON rollouts FOR EACH ROW EXECUTE FUNCTION audit_rollouts()
"""


def upgrade() -> None:
    """Make the triggers."""
    op.execute(PUBLISHING.format(old=POLICY.format(row="OLD"), new=POLICY.format(row="NEW")))
    op.execute(PUBLISHING_TRIGGER)
    op.execute(ROLLOUTS.format(old=ROLLOUT.format(row="OLD"), new=ROLLOUT.format(row="NEW")))
    op.execute(ROLLOUTS_TRIGGER)


def downgrade() -> None:
    """Remove them; what they wrote stays."""
    op.execute("DROP FUNCTION audit_publish_policy() CASCADE")
    op.execute("DROP FUNCTION audit_rollouts() CASCADE")
