"""The one place where the database's errors become ours, each in one line.

Knows every constraint's name. Never quotes the database URL: it holds a password.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from asyncpg import exceptions as pg

from xds.errors import (
    Conflict,
    NotFound,
    RegistryError,
    RegistryMismatch,
    RegistryUnavailable,
    RequestError,
    SettingsError,
    XdsError,
)
from xds.registry.dsn import EXPECTED
from xds.registry.schema import SCHEMA_REVISION

CONSTRAINTS: dict[str, tuple[type[RequestError], str]] = {
    "cells_pk": (Conflict, "a cell with this id exists already"),
    "cells_id_valid": (
        RequestError,
        "a cell id is 'cell-' and at most 43 of a-z, 0-9 and '-', not ending in '-'",
    ),
    "cells_state_known": (
        RequestError,
        "a cell's state is provisioning, active, draining, cordoned or retired",
    ),
    "cells_tenancy_known": (RequestError, "a cell's tenancy is shared or dedicated"),
    "cells_tier_valid": (RequestError, "a cell's tier is 1 to 63 letters, digits, '.', '_' and '-'"),
    "cells_region_valid": (RequestError, "a cell's region is 1 to 63 letters, digits, '.', '_' and '-'"),
    "cells_labels_valid": (RequestError, "a cell's labels are an object of strings"),
    "cells_protocol_known": (RequestError, "a cell's protocol is http1 or http2"),
    "cells_capacity_valid": (RequestError, "a cell has room for 0 tenants or more"),
    "endpoints_pk": (Conflict, "the cell has an endpoint with this address and port already"),
    "endpoints_cell_exists": (NotFound, "an endpoint needs a cell that exists"),
    "endpoints_address_valid": (
        RequestError,
        "an endpoint's address is an IP address or a host name of at most 253 characters",
    ),
    "endpoints_port_valid": (RequestError, "an endpoint's port is 1 to 65535"),
    "endpoints_zone_valid": (RequestError, "an endpoint's zone is up to 63 letters, digits, '.', '_' and '-'"),
    "endpoints_weight_valid": (RequestError, "an endpoint's weight is 1 to 1000"),
    "tenants_pk": (Conflict, "a tenant with this id exists already"),
    "tenants_id_valid": (
        RequestError,
        "a tenant id is 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit",
    ),
    "tenants_id_no_claim": (
        RequestError,
        "a tenant id is not true, false or null, nor a number of more than 15 digits or with a fraction or exponent",
    ),
    "tenants_cell_exists": (
        NotFound,
        "a tenant needs a cell that exists, and a cell stays as long as tenants live in it",
    ),
    "api_keys_pk": (Conflict, "an API key with this id exists already"),
    "api_keys_id_valid": (RequestError, "an API key's id is 16 hexadecimal digits"),
    "api_keys_tenant_exists": (NotFound, "an API key needs a tenant that exists"),
    "api_keys_name_valid": (RequestError, "an API key's name is 1 to 100 characters, none of them a control character"),
    "api_keys_hash_valid": (RequestError, "an API key's hash is 32 bytes"),
    "api_keys_expiry_valid": (RequestError, "an API key expires after it was created"),
    "overrides_pk": (Conflict, "the tenant has an override already"),
    "overrides_tenant_exists": (NotFound, "an override needs a tenant that exists"),
    "overrides_cell_exists": (
        NotFound,
        "an override needs a cell that exists, and a cell stays as long as one keeps a tenant there",
    ),
    "overrides_kind_known": (RequestError, "an override's kind is testing, isolation or quarantine"),
    "overrides_owner_valid": (RequestError, "an override's owner is 1 to 200 characters"),
    "overrides_reason_valid": (RequestError, "an override's reason is 1 to 1000 characters"),
    "tenants_state_known": (RequestError, "a tenant's state is active, suspended or moving"),
    "tenants_previous_cell_dated": (
        RequestError,
        "a tenant's previous cell and the time of its move are both known or both not",
    ),
}
"""What each constraint of the schema means, and which error its violation is."""

UNREACHABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    pg.PostgresConnectionError,
    pg.OperatorInterventionError,
    pg.InsufficientResourcesError,
    pg.InvalidAuthorizationSpecificationError,
    pg.InvalidCatalogNameError,
    pg.ReadOnlySQLTransactionError,
)
MISSING = (pg.UndefinedTableError, pg.UndefinedColumnError, pg.UndefinedFunctionError)
IN_THE_WAY = (pg.DeadlockDetectedError, pg.SerializationError, pg.LockNotAvailableError)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise what the database raises as our own errors; `where` says which database it is."""
    try:
        yield
    except pg.ClientConfigurationError:
        raise SettingsError((EXPECTED,)) from None  # its text quotes the URL
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise explain(error, where) from error


@contextmanager
def translated_connecting(where: str) -> Iterator[None]:
    """As `translated`, where asyncpg reads the URL, which it does with Python's own errors."""
    try:
        with translated(where):
            yield
    except ValueError:
        raise SettingsError((EXPECTED,)) from None


def explain(error: Exception, where: str) -> XdsError:
    """Our error for one of asyncpg's or of the operating system's."""
    match error:
        case asyncio.TimeoutError():
            return RegistryUnavailable(f"registry {where}: did not answer in time")
        case pg.IntegrityConstraintViolationError():
            return _violation(error)
        case _ if isinstance(error, UNREACHABLE):
            return RegistryUnavailable(f"registry {where}: cannot be reached: {reason(error)}")
        case _ if isinstance(error, MISSING):
            return mismatch(where, f"lacks something ({reason(error)})")
        case _ if isinstance(error, IN_THE_WAY):
            return Conflict("another writer was in the way; nothing was changed, try again")
        case _:
            return RegistryError(f"registry {where}: answered with an error: {reason(error)}")


def mismatch(where: str, found: str) -> RegistryMismatch:
    """The error for a schema that is not ours; `found` completes "registry schema …"."""
    return RegistryMismatch(
        f"registry {where}: schema {found}, this version needs {SCHEMA_REVISION}: run 'alphaswarm-xds migrate'"
    )


def _violation(error: asyncpg.PostgresError) -> RequestError:
    kind, meaning = CONSTRAINTS.get(error.constraint_name or "", (RequestError, reason(error)))
    detail = (error.detail or "").splitlines()
    return kind(f"{meaning} ({detail[0][:200]})" if detail else meaning)


def reason(error: Exception) -> str:
    """What the database or the operating system says, in one line."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()  # getaddrinfo's, whose numbers are negative
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
