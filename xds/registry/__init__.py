"""The registry in PostgreSQL: the schema and its migrations, reading, writing, and the change feed.

The only package that speaks SQL. It knows the model, and of operations only the `Store` it fulfils; nothing
about Envoy. `xds.registry.migrating` is not imported here: it takes half a second, and only `migrate` needs it.
"""

from xds.registry.postgres import PostgresRegistry
from xds.registry.rehearsing import Rehearsal
from xds.registry.schema import SCHEMA_REVISION
from xds.telemetry.status import RegistryStatus

__all__ = ["SCHEMA_REVISION", "PostgresRegistry", "RegistryStatus", "Rehearsal"]
