"""Keeps every issuer's keys fresh: fetches them before they expire, and holds on to the last good ones.

Fulfils `xds.publish.source.Keys`. Knows nothing about who uses the keys.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import aiohttp

from xds.errors import KeysError, KeysUnavailable, SettingsError
from xds.telemetry import Metrics, get_logger
from xds.telemetry.status import IssuerStatus
from xds.tokens.fetching import Fetched, fetch, new_session, read_file
from xds.tokens.issuers import Issuer
from xds.tokens.keyset import KeySet, parse_jwks

FILE_SECONDS = 5.0
"""How often a file is read, unless keys are to be fetched more often still."""

_LEAST_SECONDS = 5.0
"""A Cache-Control that asks for less than this is not obeyed."""

_FIRST_RETRY_SECONDS = 1.0

_log = get_logger()


class Keys:
    """The keys of all issuers. Nothing is fetched before `watch`."""

    def __init__(
        self, issuers: Sequence[Issuer], metrics: Metrics, *, refresh_seconds: float, overlap_seconds: float
    ) -> None:
        self._kept = [_Kept(issuer, refresh_seconds, overlap_seconds) for issuer in issuers]
        self._metrics = metrics

    def load_files(self) -> None:
        """Read the keys that are in files, now; raises `SettingsError` with what is wrong with each."""
        faults = []
        for kept in self._kept:
            if isinstance(kept.issuer.jwks, Path):
                try:
                    kept.take(Fetched(read_file(kept.issuer.jwks)))
                except KeysUnavailable as error:
                    faults.append(f"{kept.issuer.setting}: {error}")
                except KeysError as error:
                    faults.append(f"{kept.issuer.setting}: {kept.issuer.jwks}: {error}")
        if faults:
            raise SettingsError(tuple(faults))

    def jwks(self) -> Mapping[str, str]:
        """Each issuer's JWKS, the last good one; raises `KeysUnavailable` as long as one has none."""
        for kept in self._kept:
            if not kept.keys.present:
                raise KeysUnavailable(f"issuer {kept.issuer.issuer}: no keys yet: {kept.error or 'not fetched yet'}")
        return {kept.issuer.issuer: kept.keys.jwks() for kept in self._kept}

    async def watch(self, wake: Callable[[], None]) -> None:
        """Keep them fresh, and call `wake` whenever they may have changed, until cancelled."""
        async with new_session() as session, asyncio.TaskGroup() as tasks:
            for kept in self._kept:
                tasks.create_task(self._keep(kept, session, wake))

    @property
    def status(self) -> tuple[IssuerStatus, ...]:
        """How each issuer stands."""
        return tuple(kept.status for kept in self._kept)

    async def _keep(self, kept: "_Kept", session: aiohttp.ClientSession, wake: Callable[[], None]) -> NoReturn:
        while True:
            before = kept.keys
            if time.monotonic() >= kept.due:
                await self._refresh(kept, session)
            kept.keys = kept.keys.at(time.monotonic())
            if kept.keys != before:
                _log.info(
                    "jwks.changed",
                    issuer=kept.issuer.issuer,
                    present=len(kept.keys.present),
                    retiring=len(kept.keys.retiring),
                )
            if kept.keys != before or not kept.keys.present:
                wake()
            self._metrics.jwks_keys.set(sum(each.status.keys for each in self._kept))
            await asyncio.sleep(kept.delay(time.monotonic()))

    async def _refresh(self, kept: "_Kept", session: aiohttp.ClientSession) -> None:
        said = kept.error
        try:
            kept.take(await fetch(session, kept.issuer.jwks))
        except KeysError as error:
            self._metrics.jwks_failures.inc()
            kept.fail(str(error))
            if kept.error != said:
                _log.error("jwks.not_refreshed", issuer=kept.issuer.issuer, error=kept.error)
        else:
            if said:
                _log.info("jwks.recovered", issuer=kept.issuer.issuer)


class _Kept:
    """One issuer's keys, and when they are to be fetched next."""

    def __init__(self, issuer: Issuer, refresh_seconds: float, overlap_seconds: float) -> None:
        self.issuer = issuer
        self.keys = KeySet()
        self.error = ""
        self.due = 0.0
        self._refresh = min(refresh_seconds, FILE_SECONDS) if isinstance(issuer.jwks, Path) else refresh_seconds
        self._overlap = overlap_seconds
        self._failures = 0
        self._fetched_at: float | None = None

    def take(self, fetched: Fetched) -> None:
        """Use what came; raises `KeysUnusable`, and keeps what there is, if that can't be."""
        present = parse_jwks(fetched.text, self.issuer.algorithms)
        now = time.monotonic()
        self.keys = self.keys.replaced_by(present, now, self._overlap)
        self.error, self._failures, self._fetched_at = "", 0, time.time()
        soon = self._refresh
        if fetched.max_age is not None:
            soon = min(soon, max(fetched.max_age, _LEAST_SECONDS))
        self.due = now + soon * random.uniform(0.8, 0.95)  # noqa: S311 -- replicas must not come all at once

    def fail(self, error: str) -> None:
        """Note that nothing usable came; the next try is soon, and later each time."""
        self.error = error
        wait = min(self._refresh, _FIRST_RETRY_SECONDS * 2**self._failures)
        self._failures = min(self._failures + 1, 30)
        self.due = time.monotonic() + wait * random.uniform(0.5, 1)  # noqa: S311 -- as above

    def delay(self, now: float) -> float:
        """How long until there is something to do."""
        end = self.keys.next_end
        return max(0.0, (self.due if end is None else min(self.due, end)) - now)

    @property
    def status(self) -> IssuerStatus:
        """How it stands."""
        return IssuerStatus(
            issuer=self.issuer.issuer,
            keys=len(self.keys.present),
            retiring=len(self.keys.retiring),
            fetched_at=self._fetched_at,
            error=self.error,
        )
