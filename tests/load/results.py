"""What a scenario of the load tests came to: requests, moves followed, steps, checks. Plain values, and their sums.

Times are seconds since the scenario's traffic began; durations are milliseconds. Knows nothing of how they were had.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

from xds.demo.checks import Check

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. `took` counts from when it was due, and `service` from when it was sent."""

    due: float
    took: float
    service: float
    status: int
    edge: str
    tenant: str
    cell: str
    error: str = ""

    @property
    def is_failed(self) -> bool:
        """Whether it was answered with anything but 200, or not at all."""
        return self.status != 200


@dataclass(frozen=True, slots=True)
class Push:
    """One Envoy that followed a move, `took` after COMMIT had returned; None: it did not in time."""

    at: float
    edge: str
    tenant: str
    took: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something done to the system."""

    at: float
    what: str


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a scenario, under one name."""

    name: str
    began: float
    ended: float

    def holds(self, at: float) -> bool:
        """Whether something of that time belongs to it."""
        return self.began <= at < self.ended


@dataclass(frozen=True, slots=True)
class Spread:
    """How durations are spread, in milliseconds; of none, all are 0."""

    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    most: float

    @classmethod
    def of(cls, durations: Iterable[float]) -> "Spread":
        """The spread of these."""
        ordered = sorted(durations)
        return cls(len(ordered), *(percentile(ordered, each) for each in (*PERCENTILES, 100.0)))


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The least of the durations, given in order, that so many percent of them do not exceed; 0 if there are none."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One slice of the time: requests a second, how many failed, and how long they took."""

    at: float
    per_second: float
    failed: int
    p50: float
    p99: float
    most: float


def timeline(samples: Iterable[Sample], width: float = 0.5) -> list[Moment]:
    """The slices, `width` seconds each, from the first to the last in which a request was due."""
    slices: dict[int, list[Sample]] = {}
    for sample in samples:
        slices.setdefault(int(sample.due // width), []).append(sample)
    moments = []
    for number in range(min(slices, default=0), max(slices, default=-1) + 1):
        within = slices.get(number, [])
        spread = Spread.of(sample.took for sample in within)
        moments.append(
            Moment(
                at=number * width,
                per_second=len(within) / width,
                failed=sum(sample.is_failed for sample in within),
                p50=spread.p50,
                p99=spread.p99,
                most=spread.most,
            )
        )
    return moments


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One run of a scenario; `fault` is why it could not be played to its end."""

    name: str
    title: str
    passes: str
    samples: list[Sample] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    fault: str = ""

    @property
    def ok(self) -> bool:
        """Whether it passed: it was played to its end, and every check holds."""
        return not self.fault and bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failed(self) -> list[Sample]:
        """The requests that failed."""
        return [sample for sample in self.samples if sample.is_failed]

    def of(self, step: Step) -> list[Sample]:
        """The requests that were due in a step."""
        return [sample for sample in self.samples if step.holds(sample.due)]

    def followed(self, step: Step | None = None) -> list[float]:
        """How long Envoys took to follow the moves of a step, or all; those that did not are left out."""
        within = (push for push in self.pushes if step is None or step.holds(push.at))
        return [push.took for push in within if push.took is not None]

    def failures(self) -> list[str]:
        """What failed how often, the most frequent first."""
        why = Counter(
            f"{sample.status or 'no answer'} by {sample.edge} {sample.error}".strip() for sample in self.failed
        )
        return [f"{count} × {what}" for what, count in why.most_common(5)]

    def to_json(self) -> dict[str, Any]:
        """As values for JSON: everything but the single requests, which are there as sums."""
        return {
            "name": self.name,
            "title": self.title,
            "passes": self.passes,
            "ok": self.ok,
            "fault": self.fault,
            "seconds": round(self.seconds, 3),
            "requests": len(self.samples),
            "failed": len(self.failed),
            "failures": self.failures(),
            "latency_ms": asdict(Spread.of(sample.took for sample in self.samples)),
            "service_ms": asdict(Spread.of(sample.service for sample in self.samples)),
            "push_ms": asdict(Spread.of(self.followed())),
            "checks": [check.to_json() for check in self.checks],
            "facts": self.facts,
            "steps": [
                {
                    **asdict(step),
                    "latency_ms": asdict(Spread.of(sample.took for sample in self.of(step))),
                    "failed": sum(sample.is_failed for sample in self.of(step)),
                    "push_ms": asdict(Spread.of(self.followed(step))),
                }
                for step in self.steps
            ],
            "events": [asdict(event) for event in self.events],
            "timeline": [asdict(moment) for moment in timeline(self.samples)],
            "pushes": [asdict(push) for push in self.pushes],
        }
