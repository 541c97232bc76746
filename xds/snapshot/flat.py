"""A resource as plain values, for whoever keeps it: a database's row, a file's record.

Knows nothing about where it is kept.
"""

from collections.abc import Iterable
from typing import NamedTuple

from xds.names import NodeGroup, ResourceName, TypeUrl, Version
from xds.snapshot.content import SHARED, Content, Place
from xds.snapshot.resource import Ref, Resource
from xds.snapshot.table import ResourceTable

_BY_LABEL = {type_url.label: type_url for type_url in TypeUrl}


class FlatResource(NamedTuple):
    """One resource and its place. A reference is `label name`, as in `rds cell-shared-std-local`."""

    node_group: str
    kind: str
    name: str
    version: str
    body: bytes
    needs: list[str]
    awaits: list[str]
    ttl: int | None


def flatten(place: Place, resource: Resource) -> FlatResource:
    """The plain values of a resource."""
    return FlatResource(
        place.group,
        place.kind,
        place.name,
        resource.version,
        resource.body,
        [_flat_ref(ref) for ref in resource.needs],
        [_flat_ref(ref) for ref in resource.awaits],
        resource.ttl,
    )


def unflatten(flat: FlatResource) -> tuple[Place, Resource]:
    """The resource of these values, with the version that it was given."""
    name = ResourceName(flat.name)
    resource = Resource(
        name,
        Version(flat.version),
        flat.body,
        tuple(map(_ref, flat.needs)),
        tuple(map(_ref, flat.awaits)),
        flat.ttl,
    )
    return place_of(flat.node_group, flat.kind, name), resource


def place_of(group: str, kind: str, name: str) -> Place:
    """The place of these values; `kind` is a label (cds, eds …)."""
    return Place(NodeGroup(group), _BY_LABEL[kind], ResourceName(name))


def gather(
    flats: Iterable[FlatResource], *, groups: Iterable[NodeGroup] = (), apart: Iterable[NodeGroup] = ()
) -> Content:
    """The content of these resources, for these node groups at least."""
    held: dict[NodeGroup, dict[str, list[Resource]]] = {group: {} for group in groups}
    held |= {group: {type_url: [] for type_url in TypeUrl} for group in (SHARED, *apart)}
    for flat in flats:
        place, resource = unflatten(flat)
        held.setdefault(place.group, {}).setdefault(place.type_url, []).append(resource)
    return Content(
        tables={
            group: {type_url: ResourceTable(type_url, resources) for type_url, resources in by_type.items()}
            for group, by_type in held.items()
        },
        apart=frozenset(apart),
    )


def _flat_ref(ref: Ref) -> str:
    return f"{TypeUrl(ref.type_url).label} {ref.name}"


def _ref(flat: str) -> Ref:
    kind, _, name = flat.partition(" ")
    return Ref(_BY_LABEL[kind], ResourceName(name))
