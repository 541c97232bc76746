"""What is said about a database URL."""

import pytest

from xds.errors import SettingsError
from xds.registry.dsn import describe


@pytest.mark.parametrize(
    ("dsn", "where"),
    [
        ("postgresql://user:s3cret@db.example:6432/alpha", "db.example:6432/alpha"),
        ("postgres://user:s3c%40ret@db/alpha?sslmode=require", "db:5432/alpha"),
        ("postgresql://user@[::1]/alpha", "::1:5432/alpha"),
        ("postgresql://postgres@/alpha?host=/run/pg&password=s3cret", "/run/pg (database alpha)"),
        ("postgresql://", "localhost:5432/postgres"),
        ("postgresql://h?dbname=x&port=7", "h:7/x"),
    ],
)
def test_where_is_said_and_the_password_is_not(dsn: str, where: str) -> None:
    assert describe(dsn) == where


@pytest.mark.parametrize("dsn", ["postgresql://u:p/s3cret@h:port/x", "postgresql://u:s3cret@h:99999/x"])
def test_a_url_that_cannot_be_read_is_not_quoted(dsn: str) -> None:
    with pytest.raises(SettingsError) as error:
        describe(dsn)
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None
