"""The database's errors become ours, in one line each."""

import asyncpg
import pytest

from xds.errors import (
    Conflict,
    RegistryError,
    RegistryMismatch,
    RegistryUnavailable,
    RequestError,
    SettingsError,
    XdsError,
)
from xds.registry.faults import explain, translated, translated_connecting


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError(), RegistryUnavailable, "registry here: did not answer in time"),
        (ConnectionRefusedError(111, "Connect call failed"), RegistryUnavailable, "connection refused"),
        (OSError(-2, "Name or service not known"), RegistryUnavailable, "reached: name or service not known"),
        (OSError(), RegistryUnavailable, "reached: OSError"),
        (asyncpg.InterfaceError("connection is closed"), RegistryUnavailable, "reached: connection is closed"),
        (asyncpg.InvalidPasswordError("no"), RegistryUnavailable, "reached: no"),
        (asyncpg.TooManyConnectionsError("full"), RegistryUnavailable, "reached: full"),
        (asyncpg.AdminShutdownError("bye"), RegistryUnavailable, "reached: bye"),
        (asyncpg.ReadOnlySQLTransactionError("standby"), RegistryUnavailable, "reached: standby"),
        (asyncpg.UndefinedTableError("no cells\nmore"), RegistryMismatch, "lacks something (no cells), this version"),
        (asyncpg.DeadlockDetectedError("x"), Conflict, "another writer was in the way"),
        (asyncpg.UniqueViolationError("duplicate"), RequestError, "duplicate"),
        (asyncpg.DivisionByZeroError("by zero"), RegistryError, "answered with an error: by zero"),
    ],
)
def test_each_error_is_at_the_right_fault(error: Exception, kind: type[XdsError], words: str) -> None:
    explained = explain(error, "here")
    assert type(explained) is kind
    assert words in str(explained)
    assert "\n" not in str(explained)


def test_what_is_ours_passes_and_what_is_foreign_keeps_its_cause() -> None:
    cause = ConnectionResetError()
    with pytest.raises(RegistryUnavailable) as error, translated("here"):
        raise cause
    assert error.value.__cause__ is cause
    with pytest.raises(Conflict, match=r"^mine$"), translated("here"):
        raise Conflict("mine")
    with pytest.raises(ValueError, match=r"^a mistake of ours$"), translated("here"):
        raise ValueError("a mistake of ours")


@pytest.mark.parametrize("error", [ValueError("port: 's3cret'"), asyncpg.ClientConfigurationError("s3cret")])
def test_a_url_that_asyncpg_cannot_read_is_not_quoted(error: Exception) -> None:
    with pytest.raises(SettingsError) as raised, translated_connecting("here"):
        raise error
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
