"""Times and durations as a person writes them."""

import re
from datetime import UTC, datetime, timedelta

import click

_DURATION = re.compile(r"([0-9]{1,5}(?:\.[0-9]+)?)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def future(_context: click.Context, _parameter: click.Parameter, value: str) -> datetime:
    """The time that `value` means: so long from now (`30m`, `12h`, `90d`), or ISO 8601, in UTC unless it says."""
    return _at(value, 1)


def past(_context: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """The time that `value` means: so long ago, or ISO 8601, in UTC unless it says."""
    return None if value is None else _at(value, -1)


def seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """How long `value` means: `2s`, `5m`; a number alone is seconds."""
    duration = _duration(value if value[-1:].isalpha() else f"{value}s")
    if duration is None:
        raise click.BadParameter(f"expected a duration such as 2s or 5m, got {value!r}")
    return duration.total_seconds()


def _at(value: str, direction: int) -> datetime:
    try:
        if (duration := _duration(value)) is not None:
            return datetime.now(UTC) + direction * duration
        when = datetime.fromisoformat(value)
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"expected 30m, 12h, 90d or a date such as 2027-01-31, got {value!r}") from None


def _duration(value: str) -> timedelta | None:
    matched = _DURATION.fullmatch(value)
    return timedelta(**{_UNITS[matched[2]]: float(matched[1])}) if matched else None
