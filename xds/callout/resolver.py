"""Whose a session token is: by the table, else by what is remembered, else by asking, once for all who wait.

Owns the cache, the circuit and what is counted. What nobody can decide is refused, and not remembered.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, assert_never

from xds.callout.cache import VerdictCache
from xds.callout.circuit import Circuit
from xds.callout.introspector import Introspector
from xds.callout.tokenfile import TokenFile
from xds.callout.verdicts import INVALID, NO_TOKEN, Admitted, Refused, Undecided, Verdict
from xds.opaque import Digest, digest, opaque_token
from xds.telemetry import CalloutOutcome, Metrics, get_logger

_ROOM = 100_000
"""Verdicts that are remembered of each kind: some 25 MB. Two kinds, or made-up tokens would push out the good."""

_REFUSED_SECONDS = 5.0
"""How long a refusal is remembered: a token may be asked about before its issuer knows it everywhere."""

_QUIET_SECONDS = 10.0
_FAILURES = 5
_PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class _Flight:
    """A question that is under way, and its outcome; None while it is, or if it was given up."""

    landed: asyncio.Event = field(default_factory=asyncio.Event)
    verdict: Verdict | None = None


class Resolver:
    """Resolves tokens while it is entered. Raises nothing that is the token's fault, or the endpoint's."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        file: TokenFile | None = None,
        introspector: Introspector | None = None,
        cache_seconds: float = 30.0,
    ) -> None:
        self._metrics = metrics
        self._file = file
        self._introspector = introspector
        self._cache_seconds = cache_seconds
        self._admitted = VerdictCache(_ROOM)
        self._refused = VerdictCache(_ROOM)
        self._flights: dict[Digest, _Flight] = {}
        self._circuit = Circuit(failures=_FAILURES, pause=_PAUSE_SECONDS)
        self._quiet_until = 0.0
        self._exits = AsyncExitStack()
        self._log = get_logger()

    async def __aenter__(self) -> Self:
        if self._introspector is not None:
            await self._exits.enter_async_context(self._introspector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    async def watch(self) -> None:
        """Follow the file of tokens until cancelled; returns at once if there is none."""
        if self._file is not None:
            await self._file.watch()

    async def resolve(self, authorization: str) -> Verdict:
        """What becomes of a request with this `authorization` header."""
        began = time.perf_counter()
        token = opaque_token(authorization)
        verdict = NO_TOKEN if token is None else await self._resolve(token)
        self._metrics.observe_callout(_outcome(verdict), time.perf_counter() - began)
        return verdict

    async def _resolve(self, token: str) -> Verdict:
        key = digest(token)
        listed = self._file.table.find(key, time.time()) if self._file else None
        if listed is not None:
            self._metrics.count_lookup("table")
            return listed
        if self._introspector is None:
            return INVALID
        while True:
            known = self._remembered(key)
            if known is not None:
                self._metrics.count_lookup("cache")
                return known
            flight = self._flights.get(key)
            if flight is None:
                self._metrics.count_lookup("introspection")
                return await self._lead(key, token, self._introspector)
            await flight.landed.wait()  # as long as one question may take
            if flight.verdict is not None:
                self._metrics.count_lookup("joined")
                return flight.verdict

    async def _lead(self, key: Digest, token: str, introspector: Introspector) -> Verdict:
        """Ask for all who wait. If our client goes, one of the others asks."""
        flight = self._flights[key] = _Flight()
        try:
            flight.verdict = await self._ask(token, introspector)
            if not isinstance(flight.verdict, Undecided):
                self._remember(key, flight.verdict)
            return flight.verdict
        finally:
            del self._flights[key]
            flight.landed.set()

    async def _ask(self, token: str, introspector: Introspector) -> Verdict:
        if not self._circuit.may_ask(time.monotonic()):
            return Undecided("the endpoint has failed, and is not asked for now")
        verdict = await introspector.ask(token)
        was_open = self._circuit.is_open
        if isinstance(verdict, Undecided):
            self._complain(verdict.reason)
        if isinstance(verdict, Undecided) and verdict.is_outage:
            self._circuit.failed(time.monotonic())
            if self._circuit.is_open and not was_open:
                self._log.error("callout.suspended", error=verdict.reason)
        else:
            self._circuit.succeeded()
            if was_open:
                self._log.info("callout.resumed")
        self._metrics.callout_suspended.set(self._circuit.is_open)
        return verdict

    def _complain(self, reason: str) -> None:
        """Say now and then what is the matter, however many requests meet it."""
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            self._log.warning("callout.undecided", error=reason)

    def _remembered(self, key: Digest) -> Admitted | Refused | None:
        now = time.monotonic()
        return self._admitted.get(key, now) or self._refused.get(key, now)

    def _remember(self, key: Digest, verdict: Admitted | Refused) -> None:
        now = time.monotonic()
        match verdict:
            case Admitted():
                seconds = min(self._cache_seconds, verdict.until - time.time())
                self._admitted.put(key, verdict, now + seconds)
            case Refused():
                self._refused.put(key, verdict, now + min(self._cache_seconds, _REFUSED_SECONDS))
            case _:
                assert_never(verdict)


def _outcome(verdict: Verdict) -> CalloutOutcome:
    match verdict:
        case Admitted():
            return "admitted"
        case Refused():
            return "refused"
        case Undecided():
            return "undecided"
        case _:
            assert_never(verdict)
