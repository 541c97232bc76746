"""The document that /statusz answers with: the whole status, made for people and for `jq`.

Pure: the time that ages are counted from is the status' own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from xds.operations.status import (
    IssuerStatus,
    NodeStatus,
    PublishStatus,
    RegistryStatus,
    SystemStatus,
    TypeStatus,
    readiness,
)


def to_statusz(status: SystemStatus) -> dict[str, object]:
    """Everything in `status` as JSON types, with times as ISO 8601 in UTC and ages in seconds."""
    verdict = readiness(status)
    return {
        "version": status.version,
        "auth_mode": status.auth_mode,
        "cba_mode": status.cba_mode,
        "tenant_resolution": status.tenant_resolution,
        "ready": verdict.ready,
        "reason": verdict.reason,
        "draining": status.draining,
        "now": _time(status.now),
        "started_at": _time(status.started_at),
        "uptime_seconds": _age(status.now, status.started_at),
        "warnings": list(status.warnings),
        "issuers": [_issuer(each, status.now) for each in status.issuers],
        "registry": _registry(status.registry, status.publish.revision, status.now),
        "snapshot": _snapshot(status.publish, status.now),
        "nodes": [_node(node, status.now) for node in status.nodes],
        "cells": [{"id": cell, "state": state} for cell, state in sorted(status.cells)],
    }


def _registry(registry: RegistryStatus, revision: int, now: float) -> dict[str, object]:
    return {
        "revision": revision,
        "connected": registry.connected,
        "error": registry.error,
        "since": _time(registry.since),
        "since_seconds": _age(now, registry.since),
    }


def _issuer(issuer: IssuerStatus, now: float) -> dict[str, object]:
    fetched = issuer.fetched_at
    return {
        "issuer": issuer.issuer,
        "present": issuer.keys,
        "retiring": issuer.retiring,
        "fetched_at": None if fetched is None else _time(fetched),
        "age_seconds": None if fetched is None else _age(now, fetched),
        "error": issuer.error,
    }


def _snapshot(publish: PublishStatus, now: float) -> dict[str, object]:
    return {
        "number": publish.snapshot,
        "published_at": None if publish.published_at is None else _time(publish.published_at),
        "age_seconds": None if publish.published_at is None else _age(now, publish.published_at),
        "tenants": publish.tenants,
        "cells": _sorted(publish.cells),
        "resources": _sorted(publish.resources),
        "problems": list(publish.problems),
        "error": publish.error,
        "mode": publish.mode,
        "held": publish.held,
        "publishes_here": publish.leads,
        "unrecorded": publish.is_ahead,
    }


def _node(node: NodeStatus, now: float) -> dict[str, object]:
    return {
        "node_id": node.node_id,
        "group": node.group,
        "variant": node.variant,
        "peer": node.peer,
        "user_agent": node.user_agent,
        "connected_at": _time(node.connected_at),
        "connected_seconds": _age(now, node.connected_at),
        "types": [_type(each) for each in node.types],
    }


def _type(of_type: TypeStatus) -> dict[str, object]:
    return {
        "type": of_type.label,
        "subscribed": "*" if of_type.subscribed is None else of_type.subscribed,
        "sent": of_type.sent,
        "acked": of_type.acked,
        "nacked": of_type.nacked,
        "version": of_type.version,
        "error": of_type.error,
    }


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _age(now: float, then: float) -> float:
    return round(now - then, 3)
