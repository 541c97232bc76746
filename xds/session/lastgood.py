"""What a node group has acknowledged, and what it has rejected.

A client that connects, or comes back with nothing, is not given what its group rejected, but what was there before.
Clients that are connected are not concerned: each holds what it has acknowledged itself. Knows nothing about streams.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from xds.names import Version
from xds.session.outputs import Nacked
from xds.snapshot import Ref, Resource, ResourceTable, Snapshot, dangling


class LastGood:
    """One node group's verdicts.

    A resource counts as rejected while a client has rejected a response with it, and none holds it.
    """

    def __init__(self) -> None:
        self._good: dict[str, ResourceTable] = {}
        self._rejected: dict[Ref, Version] = {}
        self._settled: tuple[Snapshot, Snapshot] | None = None

    def reject(self, nacked: Nacked) -> None:
        """A client has rejected a response."""
        good = self._good.get(nacked.type_url)
        for name, resource in nacked.changes.items():
            if resource and not (good and good.holds(resource)):
                self._rejected[Ref(nacked.type_url, name)] = resource.version
                self._settled = None

    def is_good(self, table: ResourceTable) -> bool:
        """Whether this very table is the last that a client was seen to hold."""
        return self._good.get(table.type_url) is table

    def accept(self, table: ResourceTable) -> bool:
        """A client holds all of this table. Tells whether something is no longer rejected because of it."""
        is_first = table.type_url not in self._good
        self._good[table.type_url] = table
        accepted = [ref for ref, version in self._rejected.items() if _is_at(ref, version, table)]
        for ref in accepted:
            del self._rejected[ref]
        if accepted or is_first:
            self._settled = None
        return bool(accepted)

    def settle(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot as a client that comes is to have it; the newest itself, if nothing of it is rejected.

        What is rejected stands in it as it was last accepted, or is left out if it never was; so does what needs it.
        Where the group has accepted nothing yet, there is nothing better to give than what there is.
        """
        tables = snapshot.tables
        self._rejected = {
            ref: version
            for ref, version in self._rejected.items()
            if ref.type_url in tables and _is_at(ref, version, tables[ref.type_url])
        }
        if not self._rejected:
            return snapshot
        if self._settled is None or self._settled[0] is not snapshot:
            self._settled = (snapshot, _exchange(snapshot, self._good, list(self._rejected)))
        return self._settled[1]


def _is_at(ref: Ref, version: Version, table: ResourceTable) -> bool:
    resource = table.get(ref.name) if ref.type_url == table.type_url else None
    return resource is not None and resource.version == version


def _exchange(snapshot: Snapshot, good: Mapping[str, ResourceTable], todo: list[Ref]) -> Snapshot:
    """The snapshot with these, and what hangs together with them, as they are in the good tables."""
    chosen: dict[Ref, Resource | None] = {}
    while todo:
        ref = todo.pop()
        if ref in chosen or ref.type_url not in good:
            continue
        old = chosen[ref] = good[ref.type_url].get(ref.name)
        if old is None:
            todo.extend(_users(snapshot, ref))
        else:
            todo.extend(need for need in old.refs if need.name not in snapshot.tables.get(need.type_url, ()))
    if not chosen:
        return snapshot
    settled = replace(snapshot, tables={each.type_url: _put(each, chosen) for each in snapshot.tables.values()})
    # Good tables may be of different snapshots. What does not hold together is worse than what was rejected in part.
    return snapshot if dangling(settled) else settled


def _users(snapshot: Snapshot, ref: Ref) -> Iterator[Ref]:
    for table in snapshot.tables.values():
        if ref in table.refs:
            yield from (Ref(table.type_url, each.name) for each in table.values() if ref in each.refs)


def _put(table: ResourceTable, chosen: Mapping[Ref, Resource | None]) -> ResourceTable:
    mine = {ref.name: resource for ref, resource in chosen.items() if ref.type_url == table.type_url}
    return table.replace(
        [resource for resource in mine.values() if resource], [name for name, resource in mine.items() if not resource]
    )
