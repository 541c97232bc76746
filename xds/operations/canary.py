"""The canary's stop conditions: what was seen, and whether it says go or stop.

Pure: the caller says what time it is, in seconds since 1970. What can't be told is never "go".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What a stop condition, or all of them, say."""

    GO = "go"
    STOP = "stop"
    UNKNOWN = "cannot tell"


class Condition(StrEnum):
    """The runbook's stop conditions."""

    READINESS = "readiness"
    """/readyz of a tenant router is 503 for more than a minute."""

    EDGE = "edge"
    """More than 0.5 % of the edge's answers are 5xx, over five minutes."""

    AUDIT = "audit"
    """Any audit event without a cell since the canary began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where the conditions begin: the runbook's numbers."""

    not_ready_seconds: float = 60
    window_seconds: float = 300
    share: float = 0.005
    min_requests: int = 200
    """Fewer say nothing: below 1/0.005 a single failed request would decide."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one condition says, in a sentence, and what a person can check it by."""

    condition: Condition
    verdict: Verdict
    summary: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One replica's answer to /readyz; `fault` is empty if it was ready, `name` is the URL that it was found by."""

    url: str
    fault: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many requests the edge answered in `seconds`, and how many of them with a 5xx."""

    requests: float
    failed: float
    seconds: float
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCount:
    """The audit events since the canary began, and those of them that have no cell; `query` is what was asked."""

    events: int
    unresolved: int
    first: str = ""
    """When the first of those without a cell was written."""

    query: str


def judge_readiness(looks: Sequence[Look], not_ready_since: Mapping[str, float], now: float, limits: Limits) -> Finding:
    """Whether a replica has not been ready for too long; one that can't be reached is not ready."""
    spells = {look.url: now - not_ready_since.get(look.url, now) for look in looks if look.fault}
    evidence = tuple(
        f"{look.url}: {look.fault}, for {spells[look.url]:.0f} s" if look.fault else f"{look.url}: ready"
        for look in looks
    )
    if not looks:
        return Finding(Condition.READINESS, Verdict.UNKNOWN, "no replica was asked")
    if not spells:
        return Finding(Condition.READINESS, Verdict.GO, f"all {len(looks)} replicas are ready", evidence)
    longest = max(spells.values())
    limit = f"the limit is {limits.not_ready_seconds:.0f} s"
    if longest > limits.not_ready_seconds:
        return Finding(Condition.READINESS, Verdict.STOP, f"not ready for {longest:.0f} s; {limit}", evidence)
    summary = f"{len(spells)} of {len(looks)} replicas not ready, for {longest:.0f} s so far; {limit}"
    return Finding(Condition.READINESS, Verdict.UNKNOWN, summary, evidence)


def judge_share(share: Share, limits: Limits) -> Finding:
    """Whether too many of the edge's answers are 5xx."""
    window = limits.window_seconds
    if share.seconds < window:
        summary = f"{share.seconds:.0f} s of the {window:.0f} s have been seen"
        return Finding(Condition.EDGE, Verdict.UNKNOWN, summary, share.evidence)
    if share.seconds > 2 * window:
        summary = f"the edge was read last {share.seconds:.0f} s ago; expected at most {2 * window:.0f} s"
        return Finding(Condition.EDGE, Verdict.UNKNOWN, summary, share.evidence)
    if share.requests < limits.min_requests:
        summary = f"{share.requests:.0f} requests in {share.seconds:.0f} s are too few; expected {limits.min_requests}"
        return Finding(Condition.EDGE, Verdict.UNKNOWN, summary, share.evidence)
    found = share.failed / share.requests
    told = (
        f"{found:.2%} of answers are 5xx ({share.failed:.0f} of {share.requests:.0f} in {share.seconds:.0f} s);"
        f" the limit is {limits.share:.2%}"
    )
    return Finding(Condition.EDGE, Verdict.STOP if found > limits.share else Verdict.GO, told, share.evidence)


def judge_audit(count: AuditCount, since: float) -> Finding:
    """Whether an audit event has no cell."""
    began = moment(since)
    summary = f"{count.unresolved} of {count.events} audit events since {began} have no cell"
    evidence = [count.query]
    if count.first:
        evidence.insert(0, f"the first of them: {count.first}")
    verdict = Verdict.STOP if count.unresolved else Verdict.GO
    return Finding(Condition.AUDIT, verdict, summary, tuple(evidence))


def overall(findings: Iterable[Finding]) -> Verdict:
    """Stop if any says so; go only if all do, and there is one."""
    verdicts = {finding.verdict for finding in findings}
    if Verdict.STOP in verdicts:
        return Verdict.STOP
    return Verdict.GO if verdicts == {Verdict.GO} else Verdict.UNKNOWN


def moment(at: float) -> str:
    """A time as people and scripts read it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
