"""API keys: who may exchange one for a token, for which tenant, and until when. Never the keys themselves.

A key's row is its history: who made it and when, when it was revoked, when it was last used. Its making and its
revocation are in the change log too; its use is not.
"""

from alembic import op

revision = "0003_api_keys"
down_revision = "0002_tenants"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE api_keys (
    id           text        CONSTRAINT api_keys_pk PRIMARY KEY
    CONSTRAINT api_keys_id_valid CHECK (id ~ '^[0-9a-f]{16}$'),
    tenant_id    text        NOT NULL
    CONSTRAINT api_keys_tenant_exists REFERENCES tenants (id) ON DELETE CASCADE ON UPDATE CASCADE,
    name         text        NOT NULL
    CONSTRAINT api_keys_name_valid CHECK (length(name) BETWEEN 1 AND 100 AND name !~ '[[:cntrl:]]'),
    -- SHA-256 of the key's text, which nothing here can be turned back into
    hash         bytea       NOT NULL CONSTRAINT api_keys_hash_valid CHECK (length(hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   text        NOT NULL,
    expires_at   timestamptz NOT NULL CONSTRAINT api_keys_expiry_valid CHECK (expires_at > created_at),
    revoked_at   timestamptz,
    last_used_at timestamptz
);

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id);

ALTER TABLE change_log DROP CONSTRAINT change_log_kind_known;

ALTER TABLE change_log ADD
    CONSTRAINT change_log_kind_known CHECK (kind IN ('cell', 'tenant', 'api_key'));

CREATE CONSTRAINT TRIGGER api_keys_log AFTER INSERT OR DELETE ON api_keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_log_row('api_key');

CREATE CONSTRAINT TRIGGER api_keys_log_update AFTER UPDATE ON api_keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.id, OLD.tenant_id, OLD.expires_at, OLD.revoked_at)
          IS DISTINCT FROM (NEW.id, NEW.tenant_id, NEW.expires_at, NEW.revoked_at))
    EXECUTE FUNCTION registry_log_row('api_key');
"""


def upgrade() -> None:
    """Make the table."""
    _execute(TABLE)


def downgrade() -> None:
    """Remove every key, and what the log has of them."""
    op.execute("DROP TABLE api_keys")
    op.execute("DELETE FROM change_log WHERE kind = 'api_key'")
    op.execute("ALTER TABLE change_log DROP CONSTRAINT change_log_kind_known")
    op.execute("ALTER TABLE change_log ADD CONSTRAINT change_log_kind_known CHECK (kind IN ('cell', 'tenant'))")


def _execute(script: str) -> None:
    # asyncpg prepares one statement at a time; in this script each is a paragraph.
    for statement in script.strip().split("\n\n"):
        op.execute(statement)
