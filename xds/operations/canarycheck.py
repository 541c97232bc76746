"""One look at the canary: every source is asked at once, and each condition is judged by what came.

Knows the sources as protocols only. One that can't answer makes its condition one that can't be told.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from xds.errors import EvidenceUnavailable
from xds.operations.canary import (
    AuditCount,
    Condition,
    Finding,
    Limits,
    Look,
    Share,
    Verdict,
    judge_audit,
    judge_readiness,
    judge_share,
    moment,
    overall,
)
from xds.operations.canarymemory import Memory, Read

T = TypeVar("T")


class Replicas(Protocol):
    """The tenant routers."""

    async def look(self) -> Sequence[Look]:
        """Each replica's answer to /readyz; raises `EvidenceUnavailable` if it is not known which there are."""
        ...


class Edge(Protocol):
    """The Envoys, or whoever has their numbers."""

    async def read(self, window: float) -> Read | Share:
        """The counters of each Envoy now, or what came of `window` seconds; raises `EvidenceUnavailable`."""
        ...


class Audit(Protocol):
    """The platform's audit events."""

    async def count_unresolved(self, since: float) -> AuditCount:
        """Those since then, and those without a cell; raises `EvidenceUnavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the canary is judged by; None: the operator said not to ask."""

    replicas: Replicas | None
    edge: Edge | None
    audit: Audit | None


@dataclass(frozen=True, slots=True)
class Report:
    """What all conditions came to at one time."""

    at: float
    findings: tuple[Finding, ...]
    skipped: tuple[Condition, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What to do."""
        return overall(self.findings)

    def to_json(self) -> dict[str, object]:
        """The report for scripts."""
        findings = [
            {
                "condition": finding.condition.value,
                "verdict": finding.verdict.value,
                "summary": finding.summary,
                "evidence": list(finding.evidence),
            }
            for finding in self.findings
        ]
        return {
            "at": moment(self.at),
            "verdict": self.verdict.value,
            "findings": findings,
            "skipped": [condition.value for condition in self.skipped],
        }


async def check_canary(
    sources: Sources, memory: Memory, *, since: float, now: float, limits: Limits
) -> tuple[Report, Memory]:
    """What the conditions say now, and what to remember for the next look."""
    looks, counts, audited = await asyncio.gather(
        _asked(sources.replicas.look() if sources.replicas else None),
        _asked(sources.edge.read(limits.window_seconds) if sources.edge else None),
        _asked(sources.audit.count_unresolved(since) if sources.audit else None),
    )
    findings: dict[Condition, Finding | None] = {}
    findings[Condition.READINESS], memory = _readiness(looks, memory, now, limits)
    findings[Condition.EDGE], memory = _edge(counts, memory, limits)
    findings[Condition.AUDIT] = audited if audited is None else _audit(audited, since)
    report = Report(
        at=now,
        findings=tuple(finding for finding in findings.values() if finding),
        skipped=tuple(condition for condition, finding in findings.items() if finding is None),
    )
    return report, memory


async def _asked(question: Awaitable[T] | None) -> T | EvidenceUnavailable | None:
    if question is None:
        return None
    try:
        return await question
    except EvidenceUnavailable as error:
        return error


def _unknown(condition: Condition, error: EvidenceUnavailable) -> Finding:
    return Finding(condition, Verdict.UNKNOWN, str(error))


def _readiness(
    looks: Sequence[Look] | EvidenceUnavailable | None, memory: Memory, now: float, limits: Limits
) -> tuple[Finding | None, Memory]:
    if looks is None:
        return None, memory
    if isinstance(looks, EvidenceUnavailable):
        return _unknown(Condition.READINESS, looks), memory
    memory = memory.recent(now, limits.window_seconds)
    looks = (*looks, *memory.missed(looks))
    memory = memory.with_looks(looks, now)
    return judge_readiness(looks, memory.not_ready_since, now, limits), memory


def _edge(
    came: Read | Share | EvidenceUnavailable | None, memory: Memory, limits: Limits
) -> tuple[Finding | None, Memory]:
    match came:
        case None:
            return None, memory
        case EvidenceUnavailable():
            return _unknown(Condition.EDGE, came), memory
        case Share():
            return judge_share(came, limits), memory
        case Read():
            memory = memory.with_read(came, limits.window_seconds)
            return judge_share(memory.share(), limits), memory


def _audit(came: AuditCount | EvidenceUnavailable, since: float) -> Finding:
    return _unknown(Condition.AUDIT, came) if isinstance(came, EvidenceUnavailable) else judge_audit(came, since)
