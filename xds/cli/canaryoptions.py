"""The options by which `canary check` and `canary watch` learn what to ask and where the conditions begin."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import click

from xds.cli.settings import read_settings
from xds.evidence import Asking, EnvoyStats, Prometheus, Routers
from xds.evidence.prometheus import SELECTOR
from xds.operations.canary import Condition, Limits
from xds.operations.canarycheck import Sources
from xds.registry.audit import AuditTable

_DURATION = re.compile(r"([0-9]{1,6})([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """`90`, `90s`, `10m` or `1h`, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read one."""
        if isinstance(value, float):
            return value
        match = _DURATION.fullmatch(str(value))
        if match is None or not int(match[1]):
            self.fail(f"expected a time such as 90s, 10m or 1h, got {value!r}", param, ctx)
        return float(int(match[1]) * _UNITS[match[2]])


class Moment(click.ParamType[float]):
    """A time in ISO 8601, in UTC unless it says otherwise, in seconds since 1970; none to come."""

    name = "moment"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read one."""
        try:
            when = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"expected a time such as 2026-11-23T09:00:00Z, got {value!r}", param, ctx)
        at = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        if at > datetime.now(UTC).timestamp():
            self.fail(f"{value} is still to come", param, ctx)
        return at


class Url(click.ParamType[str]):
    """An http:// or https:// URL."""

    name = "url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read one."""
        try:
            parts = urlsplit(str(value))
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            is_private = parts.username is not None
        except ValueError:
            is_url = is_private = False
        if is_private:
            self.fail("expected a URL without a user and a password: it is shown as evidence", param, ctx)
        if not is_url:
            self.fail(f"expected a URL such as http://router-0:8080, got {value!r}", param, ctx)
        return str(value)


_LIMITS = Limits()
_OPTIONS = (
    click.option(
        "--ready", "routers", multiple=True, type=Url(), metavar="URL", help="A tenant router; repeat for each."
    ),
    click.option("--prometheus", type=Url(), metavar="URL", help="A Prometheus that scrapes the edge's Envoys."),
    click.option(
        "--prometheus-selector", default=SELECTOR, show_default=True, metavar="LABELS", help="The edge's series there."
    ),
    click.option(
        "--edge",
        "edges",
        multiple=True,
        type=Url(),
        metavar="URL",
        help="Without a Prometheus: where an Envoy has /stats/prometheus; repeat for each, or a name of them all.",
    ),
    click.option(
        "--audit-url",
        envvar="AUDIT_DATABASE_URL",
        metavar="URL",
        help="The PostgreSQL with the audit events; better in AUDIT_DATABASE_URL. Default: DATABASE_URL.",
    ),
    click.option("--audit-table", default="audit_events", show_default=True, metavar="NAME", help="[SCHEMA.]TABLE"),
    click.option(
        "--audit-column", default="cell_id", show_default=True, metavar="NAME", help="Its column of the cell."
    ),
    click.option(
        "--audit-time-column", default="created_at", show_default=True, metavar="NAME", help="Its column of the time."
    ),
    click.option(
        "--skip",
        multiple=True,
        type=click.Choice(tuple(condition.value for condition in Condition)),
        help="A condition not to ask about.",
    ),
    click.option(
        "--max-not-ready", type=Duration(), default=_LIMITS.not_ready_seconds, show_default=True, metavar="TIME"
    ),
    click.option("--window", type=Duration(), default=_LIMITS.window_seconds, show_default=True, metavar="TIME"),
    click.option(
        "--max-share",
        type=click.FloatRange(0, 100),
        default=_LIMITS.share * 100,
        show_default=True,
        metavar="PERCENT",
        help="Of the edge's answers that may be 5xx.",
    ),
    click.option(
        "--min-requests",
        type=click.IntRange(min=1),
        default=_LIMITS.min_requests,
        show_default=True,
        help="Fewer in the window are too few to judge.",
    ),
)

moment_option = click.option(
    "--since", required=True, type=Moment(), metavar="WHEN", help="When the canary began: 2026-11-23T09:00:00Z."
)
"""The `--since` option."""


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all the options that `Judged.of` reads."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the canary is judged by."""

    routers: tuple[str, ...]
    prometheus: str | None
    selector: str
    edges: tuple[str, ...]
    audit: AuditTable | None
    skipped: frozenset[str]
    limits: Limits

    @classmethod
    def of(cls, context: click.Context, options: Mapping[str, Any]) -> "Judged":
        """The options' meaning; raises `click.UsageError` if a condition has no source, or one too many."""
        skipped = frozenset(options["skip"])
        if len(skipped) == len(Condition):
            raise click.UsageError("nothing is left to ask: every condition is skipped")
        if Condition.READINESS not in skipped and not options["routers"]:
            raise click.UsageError("expected --ready URL for every tenant router (or --skip readiness)")
        if Condition.EDGE not in skipped and bool(options["prometheus"]) == bool(options["edges"]):
            raise click.UsageError("expected one of --prometheus URL and --edge URL (or --skip edge)")
        return cls(
            routers=options["routers"],
            prometheus=options["prometheus"],
            selector=options["prometheus_selector"],
            edges=options["edges"],
            audit=None if Condition.AUDIT in skipped else _audit(context, options),
            skipped=skipped,
            limits=Limits(
                not_ready_seconds=options["max_not_ready"],
                window_seconds=options["window"],
                share=options["max_share"] / 100,
                min_requests=options["min_requests"],
            ),
        )

    @property
    def needs_reads(self) -> bool:
        """Whether the edge's rates are come by from two reads of its counters."""
        return Condition.EDGE not in self.skipped and not self.prometheus

    def sources(self, asking: Asking) -> Sources:
        """The sources, asked by `asking`."""
        edge: Prometheus | EnvoyStats | None = None
        if Condition.EDGE not in self.skipped:
            edge = (
                Prometheus(asking, self.prometheus, self.selector)
                if self.prometheus
                else EnvoyStats(asking, self.edges)
            )
        replicas = None if Condition.READINESS in self.skipped else Routers(asking, self.routers)
        return Sources(replicas=replicas, edge=edge, audit=self.audit)


def _audit(context: click.Context, options: Mapping[str, Any]) -> AuditTable:
    url = options["audit_url"] or read_settings(context).database_url.get_secret_value()
    return AuditTable(
        url,
        table=options["audit_table"],
        column=options["audit_column"],
        time_column=options["audit_time_column"],
    )
