"""What may be said about a database URL: where it points, never the password.

Pure; asyncpg alone interprets the URL to connect.
"""

from urllib.parse import parse_qs, unquote, urlsplit

from xds.errors import SettingsError

EXPECTED = "DATABASE_URL: expected postgresql://user:password@host:port/database (special characters %-escaped)"


def describe(dsn: str) -> str:
    """Where `dsn` points, as `host:port/database`; raises `SettingsError`, which does not quote it."""
    try:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        host = query.get("host", [parts.hostname or "localhost"])[0]
        port = query.get("port", [str(parts.port or 5432)])[0]
    except ValueError:
        # The text of the error quotes the URL, and what does not parse is often the password.
        raise SettingsError((EXPECTED,)) from None
    database = unquote(parts.path.lstrip("/")) or query.get("dbname", query.get("database", ["postgres"]))[0]
    at = host if host.startswith("/") else f"{host}:{port}"
    return f"{at}/{database}" if not host.startswith("/") else f"{at} (database {database})"
