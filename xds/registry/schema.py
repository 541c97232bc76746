"""What this version needs of the database, and the names both sides must agree on.

Knows no SQL beyond these names; the migrations under `migrations` make what they stand for.
"""

SCHEMA_REVISION = "0008_decisions"
"""The newest migration: the schema that this version reads and writes."""

VERSION_TABLE = "xds_alembic_version"
"""Where Alembic notes our revision. The platform keeps its own chain in `alembic_version`, perhaps beside us."""

CHANNEL = "alphaswarm_registry"
"""The channel on which the database notifies of commits."""

SNAPSHOTS_CHANNEL = "alphaswarm_snapshots"
"""The channel on which the database notifies of snapshots and of operators' decisions about them."""
