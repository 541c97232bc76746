"""The stop conditions: the runbook's numbers, and nothing that can't be told is go."""

from collections.abc import Sequence

import pytest

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
    overall,
)

NOW = 1_795_467_592.0
LIMITS = Limits()
A, B = "http://router-a:8080", "http://router-b:8080"


@pytest.mark.parametrize(
    ("looks", "since", "verdict", "said"),
    [
        ([Look(A), Look(B)], {}, Verdict.GO, "all 2 replicas are ready"),
        ([Look(A), Look(B, "503 starting")], {B: NOW}, Verdict.UNKNOWN, "1 of 2 replicas not ready, for 0 s so far"),
        ([Look(A), Look(B, "503 starting")], {B: NOW - 60}, Verdict.UNKNOWN, "for 60 s so far; the limit is 60 s"),
        ([Look(A), Look(B, "503 starting")], {B: NOW - 61}, Verdict.STOP, "not ready for 61 s; the limit is 60 s"),
        ([Look(A, "503"), Look(B, "503")], {A: NOW, B: NOW - 90}, Verdict.STOP, "not ready for 90 s"),
        ([], {}, Verdict.UNKNOWN, "no replica was asked"),
    ],
)
def test_a_replica_that_is_not_ready_for_more_than_a_minute_stops(
    looks: Sequence[Look], since: dict[str, float], verdict: Verdict, said: str
) -> None:
    finding = judge_readiness(looks, since, NOW, LIMITS)

    assert (finding.condition, finding.verdict) == (Condition.READINESS, verdict)
    assert said in finding.summary
    assert len(finding.evidence) == len(looks)
    assert all(look.url in line and look.fault in line for look, line in zip(looks, finding.evidence, strict=True))


@pytest.mark.parametrize(
    ("requests", "failed", "seconds", "verdict", "said"),
    [
        (1000, 5, 300, Verdict.GO, "0.50% of answers are 5xx (5 of 1000 in 300 s); the limit is 0.50%"),
        (1000, 6, 300, Verdict.STOP, "0.60% of answers are 5xx (6 of 1000 in 300 s); the limit is 0.50%"),
        (200, 0, 300, Verdict.GO, "0.00%"),
        (199, 199, 300, Verdict.UNKNOWN, "199 requests in 300 s are too few; expected 200"),
        (0, 0, 300, Verdict.UNKNOWN, "0 requests"),
        (1000, 900, 299, Verdict.UNKNOWN, "299 s of the 300 s have been seen"),
        (1000, 0, 0, Verdict.UNKNOWN, "0 s of the 300 s"),
        (1000, 0, 601, Verdict.UNKNOWN, "read last 601 s ago; expected at most 600 s"),
    ],
)
def test_more_than_half_a_percent_of_5xx_over_five_minutes_stops(
    requests: float, failed: float, seconds: float, verdict: Verdict, said: str
) -> None:
    finding = judge_share(Share(requests=requests, failed=failed, seconds=seconds, evidence=("x",)), LIMITS)

    assert (finding.condition, finding.verdict, finding.evidence) == (Condition.EDGE, verdict, ("x",))
    assert said in finding.summary


@pytest.mark.parametrize(
    ("events", "unresolved", "verdict"), [(0, 0, Verdict.GO), (9, 0, Verdict.GO), (9, 1, Verdict.STOP)]
)
def test_any_audit_event_without_a_cell_stops(events: int, unresolved: int, verdict: Verdict) -> None:
    first = "2026-11-23T09:00:01+00:00" if unresolved else ""
    count = AuditCount(events=events, unresolved=unresolved, first=first, query="SELECT 1")
    finding = judge_audit(count, NOW)

    assert (finding.condition, finding.verdict) == (Condition.AUDIT, verdict)
    assert finding.summary == f"{unresolved} of {events} audit events since 2026-11-23T20:59:52Z have no cell"
    assert finding.evidence[-1] == "SELECT 1"
    assert any(first in line for line in finding.evidence) if first else len(finding.evidence) == 1


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("", Verdict.UNKNOWN),
        ("gg", Verdict.GO),
        ("gu", Verdict.UNKNOWN),
        ("us", Verdict.STOP),
        ("gus", Verdict.STOP),
    ],
)
def test_go_needs_every_condition_and_stop_only_one(verdicts: str, expected: Verdict) -> None:
    kinds = {"g": Verdict.GO, "s": Verdict.STOP, "u": Verdict.UNKNOWN}

    assert overall(Finding(Condition.EDGE, kinds[each], "") for each in verdicts) is expected
