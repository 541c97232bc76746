"""What a client holds of one type, by its own acknowledgements.

A table that it holds, but for exceptions: a client that is current costs a reference, not a copy, and what
differs from the newest table is found in time proportional to the change. Knows nothing about requests.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from xds.names import ResourceName
from xds.snapshot import Ref, Resource, ResourceTable


class Holdings:
    """The resources that a client has acknowledged. Only names that it is subscribed to are meant."""

    __slots__ = ("_base", "_exceptions", "_users")

    def __init__(self, type_url: str) -> None:
        self._base = ResourceTable(type_url)
        self._exceptions: dict[ResourceName, Resource | None] = {}
        self._users: dict[Ref, set[ResourceName]] | None = None

    def get(self, name: ResourceName) -> Resource | None:
        """What the client holds under that name."""
        if name in self._exceptions:
            return self._exceptions[name]
        return self._base.get(name)

    def put(self, name: ResourceName, resource: Resource | None) -> None:
        """Note that the client holds this now; None: that it holds nothing, or is to be treated so."""
        based = self._base.get(name)
        if resource is based or (resource and based and resource.version == based.version):
            self._exceptions.pop(name, None)
        else:
            self._exceptions[name] = resource
        self._users = None

    def discard(self, names: Iterable[ResourceName]) -> None:
        """Forget about names that the client is no longer subscribed to."""
        for name in names:
            self.put(name, None)

    def keep(self, names: Iterable[ResourceName]) -> None:
        """Forget about everything but these names."""
        self.rebase(ResourceTable(self._base.type_url), names)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever noted."""
        return not self._exceptions and not self._base

    def candidates(self, target: ResourceTable) -> AbstractSet[ResourceName]:
        """Every name under which the client may hold something else than `target` has."""
        changed = target.changed_since(self._base)
        if changed is None:
            changed = set(target).union(self._base)
        return changed | self._exceptions.keys() if self._exceptions else changed

    def rebase(self, target: ResourceTable, differing: Iterable[ResourceName]) -> None:
        """Say the same in terms of `target`, from which the client differs in these names."""
        if self.is_empty:
            self._exceptions = dict.fromkeys(differing)
        else:
            self._exceptions = {name: self.get(name) for name in differing}
        self._base = target
        self._users = None

    def users(self, ref: Ref) -> AbstractSet[ResourceName]:
        """What the client holds otherwise than the base has it, and that names `ref`.

        Only asked of what the newest snapshot lacks, which the base, being of that snapshot, never names.
        """
        if self._users is None:
            self._users = {}
            for name, resource in self._exceptions.items():
                for named in resource.refs if resource else ():
                    self._users.setdefault(named, set()).add(name)
        return self._users.get(ref, frozenset())
