"""Rollouts, replicas and nodes in PostgreSQL.

Fulfils `xds.operations.rollouts.RolloutStore` and `xds.operations.fleet.FleetStore`.
"""

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager

from xds.errors import Conflict
from xds.names import NodeId
from xds.operations.auditing import Author
from xds.operations.fleet import FleetNode, FleetView, Replica
from xds.operations.snapshots import Word
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.registry import rolloutrows as sql
from xds.registry import snapshotrows
from xds.registry.auditing import name_author
from xds.registry.queries import Queries


class PostgresRollouts:
    """The tables of rollouts and of the fleet, on connections that `queries` lends."""

    def __init__(self, queries: Callable[[], AbstractAsyncContextManager[Queries]]) -> None:
        self._queries = queries

    async def rollout(self) -> Rollout | None:
        """The newest one."""
        found = await self.rollouts(1)
        return found[0] if found else None

    async def rollouts(self, limit: int, before: int | None = None) -> Sequence[Rollout]:
        """The newest ones, or those before one of them, the newest first."""
        async with self._queries() as queries:
            return [sql.to_rollout(row) for row in await queries.fetch(sql.ROLLOUTS, limit, before)]

    async def exchange_rollout(self, was: Rollout, now: Rollout, word: Word) -> None:
        """Have `now` stand where `was` stood, on that word; raises `Conflict` if that no longer stands there."""
        action = "rollout abort" if now.state is RolloutState.STOPPED else "rollout start"
        async with self._queries() as queries, queries.writing():
            await name_author(queries, Author(word.by, word.message), action)
            await exchange(queries, was, now)

    async def policy(self) -> Policy:
        """What operators have decided about publishing."""
        async with self._queries() as queries:
            row = await queries.fetch_row(snapshotrows.POLICY)
        return snapshotrows.to_policy(row) if row is not None else Policy()

    async def report(self, replica: Replica, nodes: Sequence[FleetNode], gone: Collection[NodeId]) -> None:
        """What a replica sees: `nodes` are those of which something is new, `gone` those that left."""
        async with self._queries() as queries, queries.writing():
            await queries.execute(sql.REPORT_RESTART, replica.name, sql.to_time(replica.started_at))
            await queries.execute(sql.REPORT_REPLICA, *sql.replica_values(replica))
            if nodes:
                document = json.dumps([sql.node_document(node) for node in nodes])
                await queries.execute(sql.REPORT_NODES, replica.name, document)
            if gone:
                await queries.execute(sql.REPORT_GONE, replica.name, sorted(gone))

    async def forget(self, replica: str) -> None:
        """Forget replicas, and this replica's nodes, that have been gone for an hour."""
        async with self._queries() as queries:
            await queries.execute(sql.FORGET_REPLICAS)
            await queries.execute(sql.FORGET_NODES, replica)

    async def view(self) -> FleetView:
        """What all replicas see; a replica that has not reported lately is left out, and its nodes are gone."""
        async with self._queries() as queries, queries.snapshot():
            replicas = await queries.fetch(sql.REPLICAS, sql.REPLICA_SECONDS)
            nodes = await queries.fetch(sql.NODES, sql.REPLICA_SECONDS)
        return FleetView(
            replicas=tuple(sql.to_replica(row) for row in replicas), nodes=tuple(sql.to_node(row) for row in nodes)
        )


async def exchange(queries: Queries, was: Rollout, now: Rollout) -> None:
    """Have `now` stand where `was` stood; raises `Conflict` if that no longer stands there."""
    stood = was.id, was.state.value, was.wave, sql.to_time(was.wave_since)
    if not await queries.execute(sql.EXCHANGE, *sql.rollout_values(now), *stood):
        raise Conflict(f"rollout {was.id}: has just become another: look again")


async def propose(queries: Queries, rollout: Rollout) -> None:
    """Write down a new rollout; its id is the database's to give."""
    await queries.execute(sql.PROPOSE, *sql.rollout_values(rollout))
