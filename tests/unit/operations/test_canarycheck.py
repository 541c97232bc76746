"""One look: what is not asked is said, and a source that fails makes nothing go."""

from collections.abc import Sequence

from xds.errors import EvidenceUnavailable
from xds.operations.canary import AuditCount, Condition, Limits, Look, Share, Verdict
from xds.operations.canarycheck import Report, Sources, check_canary
from xds.operations.canarymemory import Memory, Read

NOW = 1_795_467_592.0


class Told:
    """Every source in one, that says what it was told to or can't be read."""

    def __init__(self, *, is_silent: bool = False, failed: int = 0) -> None:
        self._is_silent = is_silent
        self._failed = failed

    def _speak(self) -> None:
        if self._is_silent:
            raise EvidenceUnavailable("nobody answers")

    async def look(self) -> Sequence[Look]:
        self._speak()
        return [Look("http://router:8080")]

    async def read(self, window: float) -> Read | Share:
        self._speak()
        return Share(requests=1000, failed=self._failed, seconds=window)

    async def count_unresolved(self, since: float) -> AuditCount:
        self._speak()
        return AuditCount(events=1, unresolved=0, query=f"since {since}")


async def report(replicas: Told | None, edge: Told | None, audit: Told | None) -> Report:
    sources = Sources(replicas=replicas, edge=edge, audit=audit)
    return (await check_canary(sources, Memory(), since=NOW - 600, now=NOW, limits=Limits()))[0]


async def test_all_well_is_go() -> None:
    found = await report(Told(), Told(), Told())

    assert (found.verdict, found.skipped) == (Verdict.GO, ())
    assert [finding.condition for finding in found.findings] == list(Condition)


async def test_a_source_that_is_silent_is_never_go() -> None:
    for silent in range(3):
        sources = [Told(is_silent=each == silent) for each in range(3)]
        found = await report(*sources)
        assert found.verdict is Verdict.UNKNOWN
        assert found.findings[silent].summary == "nobody answers"


async def test_a_stop_wins_over_a_silent_source() -> None:
    assert (await report(Told(is_silent=True), Told(failed=6), Told())).verdict is Verdict.STOP


async def test_what_is_not_asked_is_said() -> None:
    found = await report(None, Told(), None)

    assert found.verdict is Verdict.GO
    assert found.to_json() == {
        "at": "2026-11-23T20:59:52Z",
        "verdict": "go",
        "findings": [
            {
                "condition": "edge",
                "verdict": "go",
                "summary": "0.00% of answers are 5xx (0 of 1000 in 300 s); the limit is 0.50%",
                "evidence": [],
            }
        ],
        "skipped": ["readiness", "audit"],
    }


class Behind:
    """A name's replicas, as many as it is told."""

    def __init__(self) -> None:
        self.urls = ["http://10.0.0.1", "http://10.0.0.2"]

    async def look(self) -> Sequence[Look]:
        return [Look(url, name="http://routers") for url in self.urls]


async def test_replicas_that_their_name_has_lost_stop_it_after_a_minute_although_those_left_are_ready() -> None:
    replicas, memory, verdicts = Behind(), Memory(), []
    for at, there in ((0, 2), (15, 1), (75, 1), (76, 1)):
        replicas.urls = replicas.urls[:there]
        sources = Sources(replicas=replicas, edge=None, audit=None)
        report, memory = await check_canary(sources, memory, since=NOW, now=NOW + at, limits=Limits())
        verdicts.append(report.verdict)

    assert verdicts == [Verdict.GO, Verdict.UNKNOWN, Verdict.UNKNOWN, Verdict.STOP]
