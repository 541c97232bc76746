"""Tells the other replicas, and operators, of the nodes that are connected here.

What is written is what changed: a fleet that is settled costs one row every few seconds. No decision of a stream
depends on it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from xds.errors import RegistryError
from xds.names import NodeId, TypeUrl
from xds.operations.fleet import FleetNode, FleetStore, FleetView, Replica
from xds.server.fleet import Fleet, StreamRecord, TypeRecord
from xds.telemetry import get_logger

LOOK_SECONDS = 0.5
"""How often the streams are looked at."""

_REST = 4
"""How many times as long as a look has taken is rested at least: thousands of streams are looked at less often."""

_AT_ONCE = 25
"""How many streams are looked at before whatever else waits has its turn: a push, say."""

HEARTBEAT_SECONDS = 5.0
"""How often a replica says that it is alive, if there is nothing else to say."""

TELL_AGAIN_SECONDS = 600.0
"""After such a silence every node is told again: replicas that are silent for long are forgotten, with their nodes."""


class Reporter:
    """Reports one replica's fleet; `describe` says how the replica itself is now."""

    def __init__(self, fleet: Fleet, store: FleetStore, describe: Callable[[], Replica]) -> None:
        self._fleet = fleet
        self._store = store
        self._describe = describe
        self._told: dict[NodeId, FleetNode] = {}
        self._behind: dict[NodeId, float] = {}
        self._said_at = 0.0
        self._log = get_logger()

    def seen(self) -> FleetView:
        """This replica and its nodes, as they are now."""
        replica = self._describe()
        described = (_describe(record, replica.name) for record in self._fleet.records())
        return FleetView(replicas=(replica,), nodes=tuple(self._newest(described).values()))

    async def run(self) -> None:
        """Report until cancelled. What can't be told now is told later."""
        while True:
            began = time.monotonic()
            try:
                await self.report()
            except RegistryError as error:
                self._log.debug("fleet.not_reported", error=str(error))
            await asyncio.sleep(max(LOOK_SECONDS, _REST * (time.monotonic() - began)))

    async def report(self) -> None:
        """Tell what is new, if anything is, or that this replica is alive, if it was silent for long."""
        replica = self._describe()
        described = []
        for number, record in enumerate(self._fleet.records(), 1):
            described.append(_describe(record, replica.name))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        seen = self._newest(described)
        now = time.monotonic()
        silence = now - self._said_at
        told = self._told if silence < TELL_AGAIN_SECONDS else {}
        news = [node for node in seen.values() if _essence(node) != _essence(told.get(node.id))]
        gone = self._told.keys() - seen.keys()
        if not news and not gone and silence < HEARTBEAT_SECONDS:
            return
        await self._store.report(replica, news, gone)
        self._told, self._said_at = seen, now

    def _newest(self, described: Iterable[FleetNode]) -> dict[NodeId, FleetNode]:
        """Each node's newest stream. A client without ADS has several: it is behind if one of them is."""
        seen: dict[NodeId, FleetNode] = {}
        for node in described:
            other = seen.get(node.id)
            if other is None:
                seen[node.id] = node
            else:
                is_settled = node.is_settled and other.is_settled
                types = {**other.types, **node.types}
                seen[node.id] = replace(node, is_settled=is_settled, error=node.error or other.error, types=types)
        now = time.time()
        self._behind = {id_: self._behind.get(id_, now) for id_, node in seen.items() if not node.is_settled}
        return {id_: replace(node, behind_since=self._behind.get(id_)) for id_, node in seen.items()}


def _describe(record: StreamRecord, replica: str) -> FleetNode:
    node = record.node
    standings = record.session.standings() if record.session else {}
    nacked = [type_url for type_url, standing in standings.items() if standing.has_nack]
    return FleetNode(
        replica=replica,
        id=node.id,
        group=node.group,
        lane=record.lane,
        region=node.region,
        zone=node.zone,
        labels=node.labels,
        user_agent=node.user_agent,
        variant=record.variant,
        peer=record.peer,
        connected_at=record.connected_at,
        is_settled=bool(standings) and all(standing.is_current for standing in standings.values()),
        error="; ".join(f"{_label(type_url)}: {record.of_type(type_url).error}" for type_url in nacked),
        types={_label(type_url): _told(of) for type_url, of in record.types.items()},
    )


def _told(of: TypeRecord) -> dict[str, object]:
    return {
        "subscribed": of.subscribed,
        "sent": of.sent,
        "acked": of.acked,
        "nacked": of.nacked,
        "version": of.version,
        "error": of.error,
    }


def _essence(node: FleetNode | None) -> FleetNode | None:
    """What is worth telling: how many responses there were is told along with it, and no reason by itself."""
    return replace(node, types={}) if node is not None else None


def _label(type_url: str) -> str:
    try:
        return TypeUrl(type_url).label
    except ValueError:
        return type_url
