"""Resources and snapshots of a few words, for tests of the pure core.

A resource's body is `name=content` as text, so that what a test says is what is on the wire.
"""

from collections.abc import Iterable
from typing import NamedTuple

from xds.names import NodeGroup, ResourceName, Revision, TypeUrl
from xds.snapshot import Ref, Resource, ResourceTable, Snapshot, encode_resource

CDS, EDS, LDS, ECDS, RDS, SRDS = TypeUrl


class Item(NamedTuple):
    """A resource and its type."""

    type_url: str
    resource: Resource


def cluster(name: str, content: object = 1) -> Item:
    """A cluster with its endpoints inline."""
    return Item(CDS, _encode(name, content))


def eds_cluster(name: str, content: object = 1) -> Item:
    """A cluster that awaits its endpoints."""
    return Item(CDS, _encode(name, content, awaits=(ref(EDS, name),)))


def endpoints(name: str, content: object = 1) -> Item:
    """The endpoints of a cluster."""
    return Item(EDS, _encode(name, content))


def listener(name: str, content: object = 1) -> Item:
    """A listener; listeners name nothing."""
    return Item(LDS, _encode(name, content))


def filtered_listener(name: str, content: object = 1) -> Item:
    """A listener that awaits the extension of its name."""
    return Item(LDS, _encode(name, content, awaits=(ref(ECDS, name),)))


def extension(name: str, content: object = 1) -> Item:
    """The config of an extension."""
    return Item(ECDS, _encode(name, content))


def route(name: str, clusters: Iterable[str] = (), content: object = 1) -> Item:
    """A route table that needs these clusters."""
    needs = tuple(ref(CDS, each) for each in clusters)
    return Item(RDS, _encode(name, content, needs=needs))


def anchor(table: str, content: object = 1) -> Item:
    """A scope that has the client ask for a route table."""
    return Item(SRDS, _encode(f"-/{table}", content, awaits=(ref(RDS, table),)))


def scope(name: str, table: str, content: object = 1) -> Item:
    """A tenant's scope: it needs a route table."""
    return Item(SRDS, _encode(name, f"{table}.{content}", needs=(ref(RDS, table),)))


def ref(type_url: str, name: str) -> Ref:
    """Names a resource."""
    return Ref(type_url, ResourceName(name))


def item(
    type_url: str, name: str, content: object = 1, *, needs: tuple[Ref, ...] = (), awaits: tuple[Ref, ...] = ()
) -> Item:
    """A resource of any type."""
    return Item(type_url, _encode(name, content, needs=needs, awaits=awaits))


def table(type_url: str, *items: Item) -> ResourceTable:
    """A table of the items of that type."""
    return ResourceTable(type_url, (item.resource for item in items if item.type_url == type_url))


def snapshot(*items: Item, number: int = 1) -> Snapshot:
    """A snapshot of our own types, and of others that are among the items."""
    types = (each.type_url for each in items)
    return Snapshot(
        number=number,
        revision=Revision(number),
        group=NodeGroup("edge"),
        tables={type_url: table(type_url, *items) for type_url in dict.fromkeys([*TypeUrl, *types])},
    )


def _encode(name: str, content: object, *, needs: tuple[Ref, ...] = (), awaits: tuple[Ref, ...] = ()) -> Resource:
    return encode_resource(ResourceName(name), f"{name}={content}".encode(), needs=needs, awaits=awaits)
