"""The table of session tokens: each by the SHA-256 of it, with its tenant and its end.

Pure. A table is good as a whole or not at all: a row that is left out could be the one that ends a session.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from math import isfinite

from xds.callout.verdicts import INVALID, Admitted, Refused
from xds.model import is_tenant_id
from xds.names import TenantId
from xds.opaque import Digest
from xds.operations.tenants import TENANT_ID_EXPECTED

FIELDS = frozenset({"sha256", "tenant", "expires"})
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenTable:
    """The tokens that are known. One that has ended is still known, and refused."""

    tokens: Mapping[Digest, Admitted]

    def find(self, key: Digest, now: float) -> Admitted | Refused | None:
        """What is known of a token; None if nothing is."""
        held = self.tokens.get(key)
        return held if held is None or now < held.until else INVALID


def parse_csv(text: str) -> TokenTable:
    """Read CSV whose first line is the names of the fields, in any order; raises ValueError."""
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no end: the file is cut short, and so perhaps a tenant's name")
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    try:
        if reader.fieldnames is None:  # as while it is being written
            raise ValueError("the file is empty; expected the names of the fields")
        return _table((f"line {reader.line_num}", row) for row in reader)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def parse_json(text: str) -> TokenTable:
    """Read a JSON list of objects with these fields; raises ValueError."""
    rows = json.loads(text)
    if not isinstance(rows, list):
        raise ValueError("expected a list of objects")  # noqa: TRY004 -- the file's fault, not a caller's
    return _table((f"entry {number}", row) for number, row in enumerate(rows, start=1))


def _table(rows: Iterator[tuple[str, object]]) -> TokenTable:
    tokens: dict[Digest, Admitted] = {}
    for place, row in rows:
        try:
            key, admitted = _read(row)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None
        if key in tokens:
            raise ValueError(f"{place}: the same sha256 as in another")
        tokens[key] = admitted
    return TokenTable(tokens)


def _read(row: object) -> tuple[Digest, Admitted]:
    # No value is shown: somebody may have put a token where its hash belongs.
    if not isinstance(row, dict) or row.keys() != FIELDS:
        raise ValueError(f"expected exactly {', '.join(sorted(FIELDS))}")
    tenant = row["tenant"]
    if not isinstance(tenant, str) or not is_tenant_id(tenant):
        raise ValueError(f"tenant: expected {TENANT_ID_EXPECTED}")
    return _digest(row["sha256"]), Admitted(TenantId(tenant), _end(row["expires"]))


def _digest(value: object) -> Digest:
    try:
        key = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) != _DIGEST_BYTES:
        raise ValueError("sha256: expected 64 hexadecimal digits")
    return Digest(key)


def _end(value: object) -> float:
    """Seconds since the epoch, from just those or from ISO 8601 with a time zone."""
    wrong = ValueError("expires: expected seconds since the epoch, or ISO 8601 with a time zone")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        end = float(value)
    except ValueError:
        end = _instant(str(value), wrong)
    except OverflowError:
        raise wrong from None
    if not isfinite(end):
        raise wrong
    return end


def _instant(text: str, wrong: ValueError) -> float:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise wrong from None
    if instant.tzinfo is None:
        raise wrong
    return instant.timestamp()
