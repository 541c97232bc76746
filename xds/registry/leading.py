"""The right to publish: an advisory lock, and a connection that holds it and does all of the publishing.

Whoever has lost the connection has lost the right, and can't write with it: no second publisher can be in between.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import asyncpg

from xds.errors import Conflict, XdsError
from xds.operations.auditing import Author
from xds.publish.history import Candidate, Entry
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.registry.auditing import name_author
from xds.registry.faults import translated
from xds.registry.queries import Queries
from xds.registry.rolloutrows import IS_KNOWN
from xds.registry.rollouts import exchange, propose
from xds.registry.snapshotrows import RESOURCE_COLUMNS
from xds.snapshot import Content, ContentChange, Place, flatten

PUBLISHING_LOCK = 0x616C706861786470
"""`alphaxdp` in ASCII."""

ASK_SECONDS = 1.0
"""How often a replica that may not publish asks whether it may."""

HEARTBEAT_SECONDS = 5.0

_BATCH = 20_000

KEEPALIVE = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}
"""How soon, in seconds, the database lets go of the lock of a machine that vanished without a word."""

_STEPS = {RolloutState.RUNNING: "wave", RolloutState.DONE: "done", RolloutState.STOPPED: "stop"}

_INSERT_ENTRY = """
INSERT INTO snapshots (number, at, published_by, kind, message, revision, digest, counts, upserts, removed, structure,
                       node_groups, apart)
SELECT $1::bigint, $2::timestamptz, $3, $4, $5, $6::bigint, $7, $8::jsonb, $9::bigint, $10::bigint, $11, $12, $13
 WHERE (SELECT coalesce(max(number), $1::bigint - 1) FROM snapshots) = $1::bigint - 1
    OR $14::boolean AND (SELECT max(number) FROM snapshots) < $1::bigint"""
_CLOSE = """
UPDATE snapshot_resources AS held SET valid_to = $1
  FROM unnest($2::text[], $3::text[], $4::text[]) AS gone (node_group, kind, name)
 WHERE (held.node_group, held.kind, held.name) = (gone.node_group, gone.kind, gone.name) AND held.valid_to IS NULL"""
# An approval is for once: what was published, undone and comes again is for the guard again.
_ACTED = "UPDATE publish_policy SET acted_at = $1, approved = '' WHERE at = $1"
_CLEAR_CANDIDATE = "DELETE FROM snapshot_candidate"
_CLEAR_CANDIDATE_RESOURCES = "DELETE FROM snapshot_candidate_resources"
_DELETE_CANDIDATE_RESOURCES = """
DELETE FROM snapshot_candidate_resources AS held
 USING unnest($1::text[], $2::text[], $3::text[]) AS gone (node_group, kind, name)
 WHERE (held.node_group, held.kind, held.name) = (gone.node_group, gone.kind, gone.name)"""
_INSERT_CANDIDATE = """
INSERT INTO snapshot_candidate (digest, revision, reason, counts, upserts, removed) VALUES ($1, $2, $3, $4, $5, $6)"""


class PostgresLead:
    """Publishes on the connection that holds the lock."""

    def __init__(self, connection: asyncpg.Connection, where: str, timeout: float) -> None:
        self._connection = connection
        self._where = where
        self._timeout = timeout
        self._queries = Queries(connection, where, timeout)
        self._busy = asyncio.Lock()
        self._noted: ContentChange | None = None
        self._closed = asyncio.Event()
        connection.add_termination_listener(lambda _: self._closed.set())

    async def acquire(self) -> None:
        """Wait for the lock."""
        while not await self._try():  # noqa: ASYNC110 -- the event is in another process
            await asyncio.sleep(ASK_SECONDS)

    async def _try(self) -> bool:
        row = await self._queries.fetch_row("SELECT pg_try_advisory_lock($1) AS got", PUBLISHING_LOCK)
        return row is not None and bool(row["got"])

    async def record(self, entry: Entry, content: Content, change: ContentChange, *, again: bool = False) -> None:
        """Make a snapshot the one in force, whole or not at all."""
        async with self._busy, self._queries.writing() as written:
            if not await self._queries.execute(_INSERT_ENTRY, *_entry_values(entry, content), again):
                raise Conflict(f"snapshot {entry.number}: is not the next one")
            for batch in _batches(sorted(change.places)):
                await self._queries.execute(_CLOSE, entry.number, *_columns(batch))
            columns = (*RESOURCE_COLUMNS, "valid_from")
            for part in _batches(change.upserts.items()):
                rows = [(*flatten(place, resource), entry.number) for place, resource in part]
                await self._queries.copy("snapshot_resources", columns, rows)
            written.rows += len(change)
            await self._clear_candidate()
        self._noted = None

    async def note_candidate(self, candidate: Candidate | None) -> None:
        """Have operators see what is held; None: nothing is. What is noted already is not written again."""
        async with self._busy:
            async with self._queries.writing():
                if candidate is None:
                    await self._clear_candidate()
                else:
                    await self._put_candidate(candidate)
            self._noted = candidate.change if candidate is not None else None

    async def _clear_candidate(self) -> None:
        await self._queries.execute(_CLEAR_CANDIDATE)
        await self._queries.execute(_CLEAR_CANDIDATE_RESOURCES)

    async def _put_candidate(self, candidate: Candidate) -> None:
        change, noted = candidate.change, self._noted
        if noted is None:  # or who knows what another process has left there
            await self._clear_candidate()
            noted = ContentChange()
        await self._queries.execute(_CLEAR_CANDIDATE)
        counts = json.dumps(dict(candidate.counts))
        values = (candidate.digest, candidate.revision, candidate.reason, counts)
        await self._queries.execute(_INSERT_CANDIDATE, *values, len(change.upserts), len(change.removed))
        known, wanted = _states(noted), _states(change)
        gone = [place for place, state in known.items() if wanted.get(place, "?") != state]
        for batch in _batches(gone):
            await self._queries.execute(_DELETE_CANDIDATE_RESOURCES, *_columns(batch))
        for batch in _batches(place for place, state in wanted.items() if known.get(place, "?") != state):
            rows = [_candidate_row(place, change) for place in batch]
            await self._queries.copy("snapshot_candidate_resources", RESOURCE_COLUMNS[:5], rows)

    async def propose(self, rollout: Rollout) -> None:
        """Write down a new rollout; it does not run by itself if its structure was ever published or proposed."""
        async with self._busy, self._queries.writing():
            await name_author(self._queries, _publisher(rollout.by), "rollout propose")
            row = await self._queries.fetch_row(IS_KNOWN, rollout.structure)
            is_known = row is not None and bool(row["known"])
            await propose(
                self._queries, rollout.pending() if is_known and rollout.state is RolloutState.RUNNING else rollout
            )

    async def advance_rollout(self, was: Rollout, now: Rollout, by: str) -> None:
        """Have the rollout go on or end, by this publisher; raises `Conflict` if an operator was faster."""
        async with self._busy, self._queries.writing():
            await name_author(self._queries, _publisher(by), f"rollout {_STEPS[now.state]}")
            await exchange(self._queries, was, now)

    async def note_policy(self, policy: Policy) -> None:
        """Have operators see that this decision was acted on; what it approved of is approved no longer."""
        async with self._busy:
            await self._queries.execute(_ACTED, datetime.fromtimestamp(policy.at, UTC))

    async def lost(self) -> None:
        """Wait until the connection is lost."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._closed.wait()
            if self._closed.is_set() or not await self._answers():
                return

    async def _answers(self) -> bool:
        if self._busy.locked():
            return True
        try:
            async with self._busy:
                with translated(self._where):
                    await self._connection.execute("SELECT", timeout=self._timeout)
        except XdsError:
            return False
        return True


def _publisher(name: str) -> Author:
    return Author(name or "publisher")


def _entry_values(entry: Entry, content: Content) -> tuple[object, ...]:
    return (
        entry.number,
        datetime.fromtimestamp(entry.at, UTC),
        entry.by,
        entry.kind.value,
        entry.message,
        entry.revision,
        entry.digest,
        json.dumps(dict(entry.counts)),
        entry.upserts,
        entry.removed,
        entry.structure,
        list(content.groups),
        sorted(content.apart),
    )


def _states(change: ContentChange) -> dict[Place, str | None]:
    """The version that each place is to have; None: it is to go."""
    return {place: each.version for place, each in change.upserts.items()} | dict.fromkeys(change.removed)


def _candidate_row(place: Place, change: ContentChange) -> tuple[str | bytes | None, ...]:
    resource = change.upserts.get(place)
    return (*_flat_place(place), *((resource.version, resource.body) if resource is not None else (None, None)))


def _flat_place(place: Place) -> tuple[str, str, str]:
    return place.group, place.kind, place.name


def _columns(places: Sequence[Place]) -> tuple[list[str], list[str], list[str]]:
    flat = [_flat_place(place) for place in places]
    return [each[0] for each in flat], [each[1] for each in flat], [each[2] for each in flat]


def _batches(items: Any) -> Iterator[list[Any]]:  # noqa: ANN401 -- of anything
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
