"""What one look at the canary remembers of those before it: replicas, since when one is not ready, the edge's counters.

Pure; a memory is kept in a file between two runs of a command, or by whoever goes on watching.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from xds.operations.canary import Look, Share, moment

_UPTIME_LAGS = 10.0
"""By how many seconds Envoy's uptime, which it renews every 5 s, may make one start look like another."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What one Envoy has counted since it started, `uptime` seconds ago: its answers, and the 5xx among them."""

    uptime: float
    requests: int
    failed: int


@dataclass(frozen=True, slots=True)
class Read:
    """The counters of every Envoy at one time."""

    at: float
    envoys: Mapping[str, Counters]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered; empty before the first look."""

    looked_at: float = 0
    not_ready_since: Mapping[str, float] = field(default_factory=dict)
    reads: tuple[Read, ...] = ()
    replicas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those that were there at the last look, and those that are missed, by the URL that they were found by."""

    def recent(self, now: float, forget_after: float) -> "Memory":
        """The same, or without its looks if the last is more than `forget_after` seconds ago: what was since?"""
        return self if now - self.looked_at <= forget_after else Memory(reads=self.reads)

    def missed(self, looks: Sequence[Look]) -> tuple[Look, ...]:
        """The replicas that were found before, are not now, and have nobody in their place: not ready, each.

        A name's replica that has come since stands for one that has gone, so that pods may be replaced.
        """
        found: list[Look] = []
        for name in sorted({look.name for look in looks}):
            before = self.replicas.get(name, ())
            now = {look.url for look in looks if look.name == name}
            gone = sorted(set(before) - now, key=lambda url: (self.not_ready_since.get(url, math.inf), url))
            fault = f"{name} no longer leads to it, which counts as not ready"
            found += (Look(url, fault, name) for url in gone[: max(0, len(before) - len(now))])
        return tuple(found)

    def with_looks(self, looks: Sequence[Look], now: float) -> "Memory":
        """The same and these answers to /readyz; a spell goes on if every look since its first saw it."""
        since = {look.url: self.not_ready_since.get(look.url, now) for look in looks if look.fault}
        replicas = {name: tuple(look.url for look in looks if look.name == name) for name in {x.name for x in looks}}
        return Memory(now, since, self.reads, replicas)

    def with_read(self, read: Read, window: float) -> "Memory":
        """The same and this read; what is older than the window is dropped, but for the one where it begins."""
        reads = (*self.reads, read)
        begins = max((each.at for each in reads if each.at <= read.at - window), default=reads[0].at)
        return replace(self, reads=tuple(each for each in reads if each.at >= begins))

    def share(self) -> Share:
        """What the edge has answered since the oldest read; nothing, in no time, after a single one."""
        if not self.reads:
            return Share(requests=0, failed=0, seconds=0)
        first, last = self.reads[0], self.reads[-1]
        names = sorted({name for read in self.reads for name in read.envoys})
        increases = {name: _increase(name, self.reads) for name in names}
        evidence = [
            f"{name}: {requests} answers, {failed} of them 5xx{', restarted' if restarts else ''}"
            f"{'' if name in last.envoys else ', and is no longer there'}"
            for name, (requests, failed, restarts) in increases.items()
        ]
        return Share(
            requests=sum(each[0] for each in increases.values()),
            failed=sum(each[1] for each in increases.values()),
            seconds=last.at - first.at,
            evidence=(f"Envoys' own counters from {moment(first.at)} to {moment(last.at)}", *evidence),
        )

    def to_json(self) -> str:
        """The memory as text."""
        reads = [
            {"at": read.at, "envoys": {name: [c.uptime, c.requests, c.failed] for name, c in read.envoys.items()}}
            for read in self.reads
        ]
        looked = {"looked_at": self.looked_at, "not_ready_since": dict(self.not_ready_since)}
        return json.dumps({**looked, "reads": reads, "replicas": dict(self.replicas)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Memory":
        """The memory that `to_json` wrote; raises `ValueError` for any other text."""
        try:
            held = json.loads(text)
            reads = tuple(
                Read(float(read["at"]), {str(name): _counters(values) for name, values in read["envoys"].items()})
                for read in held["reads"]
            )
            since = {str(url): float(at) for url, at in held["not_ready_since"].items()}
            replicas = {str(name): tuple(map(str, urls)) for name, urls in held["replicas"].items()}
            return cls(float(held["looked_at"]), since, reads, replicas)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not what was written there before: {error!r}") from None


def _counters(values: Iterable[float]) -> Counters:
    uptime, requests, failed = values
    return Counters(float(uptime), int(requests), int(failed))


def _increase(name: str, reads: Sequence[Read]) -> tuple[int, int, int]:
    """How much an Envoy's counters rose over the reads, and how often they began anew.

    All that an Envoy counts is new once it has restarted; what it had counted between the read before and its restart
    is lost. One that has come after the first read is counted from its start.
    """
    requests = failed = restarts = 0
    before: Read | None = None
    for read in reads:
        now = read.envoys.get(name)
        if now is None:
            continue
        was = before.envoys.get(name) if before else None
        if was is not None and before is not None:
            later = (read.at - now.uptime) - (before.at - was.uptime)
            is_restarted = later > _UPTIME_LAGS or now.requests < was.requests or now.failed < was.failed
            start = Counters(0, 0, 0) if is_restarted else was
            restarts += is_restarted
        elif read is not reads[0] and read.at - now.uptime > reads[0].at:
            start = Counters(0, 0, 0)  # it has come since
        else:
            start = now
        requests += now.requests - start.requests
        failed += now.failed - start.failed
        before = read
    return requests, failed, restarts
