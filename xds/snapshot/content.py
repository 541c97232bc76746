"""All that a control plane serves: every resource of every node group, independent of when and by whom it was made.

A content is what is numbered, recorded, compared and served again. Knows nothing about how it is kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

from xds.names import NodeGroup, ResourceName, Revision, TypeUrl
from xds.snapshot.resource import Resource
from xds.snapshot.snapshot import Snapshot
from xds.snapshot.table import ResourceTable

SHARED = NodeGroup("")
"""Stands for what all groups of Envoys hold in common."""


class Place(NamedTuple):
    """Names one resource of a content: the group whose own it is, or `SHARED`."""

    group: NodeGroup
    type_url: str
    name: ResourceName

    @property
    def kind(self) -> str:
        """The label of its type, cds say."""
        return TypeUrl(self.type_url).label


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentChange:
    """What makes one content out of another: what it gains or has otherwise, and what it loses."""

    upserts: Mapping[Place, Resource] = field(default_factory=dict)
    removed: frozenset[Place] = frozenset()

    def __len__(self) -> int:
        return len(self.upserts) + len(self.removed)

    @property
    def places(self) -> frozenset[Place]:
        """Whatever differs."""
        return self.removed | self.upserts.keys()


@dataclass(frozen=True, kw_only=True)
class Content:
    """Tables by group and type. A group holds the shared tables too, unless it stands `apart`."""

    tables: Mapping[NodeGroup, Mapping[str, ResourceTable]]
    apart: frozenset[NodeGroup] = frozenset()

    @property
    def groups(self) -> tuple[NodeGroup, ...]:
        """The node groups that there is something for, sorted."""
        return tuple(sorted(self.tables.keys() - {SHARED}))

    def snapshots(self, number: int, revision: Revision) -> dict[NodeGroup, Snapshot]:
        """A snapshot for each node group."""
        shared = self.tables.get(SHARED, {})
        return {
            group: Snapshot(
                number=number,
                revision=revision,
                group=group,
                tables={**({} if group in self.apart else shared), **self._under(group), **self.tables[group]},
            )
            for group in self.groups
        }

    def _under(self, group: NodeGroup) -> Mapping[str, ResourceTable]:
        """What a group that is another one's variant (`group~variant`) has of it."""
        base, tilde, _ = group.partition("~")
        return self.tables.get(NodeGroup(base), {}) if tilde else {}

    def get(self, place: Place) -> Resource | None:
        """The resource at a place, if there is one."""
        table = self.tables.get(place.group, {}).get(place.type_url)
        return table.get(place.name) if table is not None else None

    def changed_since(self, base: "Content") -> ContentChange:
        """What differs from `base`: in time proportional to it if these tables came from those, else to all."""
        upserts: dict[Place, Resource] = {}
        removed: set[Place] = set()
        for group, type_url in _kinds(self) | _kinds(base):
            now, before = _table(self, group, type_url), _table(base, group, type_url)
            for name in _names(now, before):
                resource = now.get(name)
                if resource is not None and not before.holds(resource):
                    upserts[Place(group, type_url, name)] = resource
                elif resource is None and name in before:  # else it came and went in between
                    removed.add(Place(group, type_url, name))
        return ContentChange(upserts=upserts, removed=frozenset(removed))

    def apply(self, change: ContentChange) -> "Content":
        """The content after a change; tables that it does not touch are the same ones."""
        tables = {group: dict(held) for group, held in self.tables.items()}
        for (group, type_url), part in _by_table(change).items():
            table = _table(self, group, type_url)
            tables.setdefault(group, {})[type_url] = table.replace(part.upserts, part.removed)
        return replace(self, tables=tables)

    def items(self) -> Iterator[tuple[Place, Resource]]:
        """Every resource at its place."""
        for group, held in self.tables.items():
            for type_url, table in held.items():
                for resource in table.values():
                    yield Place(group, type_url, resource.name), resource

    @cached_property
    def digest(self) -> str:
        """A hash of every name and version: equal for equal contents, wherever they were made."""
        total = blake2b(digest_size=16)
        for group, type_url in sorted(_kinds(self)):
            table = self.tables[group][type_url]
            if len(table):
                total.update(f"{group}\n{type_url}\n{table.version_info}\n".encode())
        return total.hexdigest()

    def __len__(self) -> int:
        return sum(len(table) for held in self.tables.values() for table in held.values())


class _Part(NamedTuple):
    upserts: list[Resource]
    removed: list[ResourceName]


def _by_table(change: ContentChange) -> dict[tuple[NodeGroup, str], _Part]:
    parts: dict[tuple[NodeGroup, str], _Part] = {}
    for place, resource in change.upserts.items():
        parts.setdefault(place[:2], _Part([], [])).upserts.append(resource)
    for place in change.removed:
        parts.setdefault(place[:2], _Part([], [])).removed.append(place.name)
    return parts


def _kinds(content: Content) -> set[tuple[NodeGroup, str]]:
    return {(group, type_url) for group, held in content.tables.items() for type_url in held}


def _table(content: Content, group: NodeGroup, type_url: str) -> ResourceTable:
    table = content.tables.get(group, {}).get(type_url)
    return ResourceTable(type_url) if table is None else table


def _names(now: ResourceTable, before: ResourceTable) -> Iterable[ResourceName]:
    """Those that may differ."""
    if now is before:
        return ()
    changed = now.changed_since(before)
    return changed if changed is not None else _all_names(now, before)


def _all_names(now: ResourceTable, before: ResourceTable) -> Iterator[ResourceName]:
    yield from now
    yield from (name for name in before if name not in now)
