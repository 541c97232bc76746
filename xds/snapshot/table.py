"""All resources of one type: an immutable table that knows what changed since its forerunners.

Knows nothing about types other than by name.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from hashlib import blake2b
from typing import Self

from xds.names import ResourceName
from xds.snapshot.frames import delta_size
from xds.snapshot.resource import Ref, Resource

_LINEAGE = 64
"""How many changes back a table remembers. A client that is further behind is compared in full."""

_SUM_BITS = 128


class ResourceTable:
    """The resources of one type by name.

    `replace` makes the next table in time proportional to the change (but for one copy of the dictionary).
    """

    __slots__ = ("__dict__", "_lineage", "_mortal", "_resources", "_sum", "_token", "_users", "type_url")

    def __init__(self, type_url: str, resources: Iterable[Resource] = ()) -> None:
        self.type_url = type_url
        self._resources: dict[ResourceName, Resource] = {}
        self._users: dict[Ref, int] = {}
        self._mortal: dict[ResourceName, Resource] = {}
        self._sum = 0
        self._token = object()
        self._lineage: tuple[tuple[object, AbstractSet[ResourceName]], ...] = ()
        for resource in resources:
            self._put(resource)

    def replace(self, upserts: Iterable[Resource], removed: Iterable[ResourceName] = ()) -> "ResourceTable":
        """The table after a change; this one itself if nothing differs."""
        changed = [resource for resource in upserts if not self.holds(resource)]
        gone = [name for name in removed if name in self._resources]
        if not changed and not gone:
            return self
        after = self._copy()
        for name in gone:
            after._drop(name)
        for resource in changed:
            after._put(resource)
        names = frozenset(resource.name for resource in changed).union(gone)
        after._lineage = ((self._token, names), *self._lineage[: _LINEAGE - 1])
        return after

    def changed_since(self, base: "ResourceTable") -> AbstractSet[ResourceName] | None:
        """The names that may differ between `base` and this table; None if `base` is too far back to know."""
        names: set[ResourceName] = set()
        if base._token is self._token:
            return names
        for token, changed in self._lineage:
            names |= changed
            if token is base._token:
                return names
        return None

    def holds(self, resource: Resource) -> bool:
        """Whether the table has this very content under its name."""
        held = self._resources.get(resource.name)
        return held is not None and held.version == resource.version

    def get(self, name: ResourceName) -> Resource | None:
        """The resource of that name, if there is one."""
        return self._resources.get(name)

    @property
    def refs(self) -> Iterable[Ref]:
        """Every resource that is named from this table, once."""
        return self._users.keys()

    @cached_property
    def whole(self) -> "Whole":
        """The table as one response. Streams that open are all sent it, so it is made once."""
        return Whole(self.type_url, self._resources, self._users.keys())

    @property
    def mortal(self) -> Mapping[ResourceName, Resource]:
        """The resources that have a TTL."""
        return self._mortal

    @property
    def version_info(self) -> str:
        """A hash of all contents, the same whatever the order in which they came."""
        return self.version_info_of({})

    def version_info_of(self, instead: Mapping[ResourceName, Resource | None]) -> str:
        """The `version_info` of this table with some resources exchanged, or left out where None."""
        total = self._sum
        count = len(self._resources)
        for name, resource in instead.items():
            held = self._resources.get(name)
            total += (_term(resource) if resource else 0) - (_term(held) if held else 0)
            count += (resource is not None) - (held is not None)
        digest = (total % (1 << _SUM_BITS)).to_bytes(_SUM_BITS // 8, "big") + count.to_bytes(8, "big")
        return blake2b(digest, digest_size=8).hexdigest()

    def __contains__(self, name: object) -> bool:
        return name in self._resources

    def __iter__(self) -> Iterator[ResourceName]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def values(self) -> Iterable[Resource]:
        """All resources, in the order in which their names came."""
        return self._resources.values()

    def _copy(self) -> Self:
        after = type(self)(self.type_url)
        after._resources = self._resources.copy()
        after._users = self._users.copy()
        after._mortal = self._mortal.copy()
        after._sum = self._sum
        return after

    def _put(self, resource: Resource) -> None:
        self._drop(resource.name, keep_place=True)
        self._resources[resource.name] = resource
        self._sum += _term(resource)
        if resource.ttl is not None:
            self._mortal[resource.name] = resource
        for ref in resource.refs:
            self._users[ref] = self._users.get(ref, 0) + 1

    def _drop(self, name: ResourceName, *, keep_place: bool = False) -> None:
        held = self._resources.get(name)
        if held is None:
            return
        if not keep_place:
            del self._resources[name]
        self._sum -= _term(held)
        self._mortal.pop(name, None)
        for ref in held.refs:
            self._users[ref] -= 1
            if not self._users[ref]:
                del self._users[ref]


class Whole:
    """All resources of a table, sorted by name, and what they name; shared, and not to be changed."""

    def __init__(self, type_url: str, resources: Mapping[ResourceName, Resource], refs: AbstractSet[Ref]) -> None:
        self.by_name = resources
        self.refs = refs
        self.resources = [resources[name] for name in sorted(resources)]
        self.names = resources.keys()
        self.bytes = sum(delta_size(type_url, each) for each in self.resources)
        self.awaits = awaited_by(self.resources)


def awaited_by(resources: Iterable[Resource]) -> dict[str, set[ResourceName]]:
    """What these resources await, by type."""
    awaited: dict[str, set[ResourceName]] = {}
    for resource in resources:
        for ref in resource.awaits:
            awaited.setdefault(ref.type_url, set()).add(ref.name)
    return awaited


def _term(resource: Resource) -> int:
    """A resource's share in the sum: its version, which is a hash already, read as a number."""
    return int.from_bytes(resource.version.encode(), "big")
