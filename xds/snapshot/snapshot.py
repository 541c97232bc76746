"""A snapshot: every resource for one node group at one revision, immutable and self-consistent.

Knows nothing about who receives it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xds.names import NodeGroup, Revision, TypeUrl
from xds.snapshot.resource import Ref
from xds.snapshot.table import ResourceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one node group is to hold. Tables that did not change are shared between snapshots and groups."""

    number: int
    revision: Revision
    group: NodeGroup
    tables: Mapping[str, ResourceTable]

    def table(self, type_url: TypeUrl) -> ResourceTable:
        """The table of a type."""
        return self.tables[type_url]


def dangling(snapshot: Snapshot) -> tuple[tuple[str, Ref], ...]:
    """References to resources that the snapshot does not hold: (type that names it, what is named), sorted.

    Every scope's route table, every route's cluster and every EDS cluster's assignment must be there.
    Costs time for each distinct reference, not for each resource.
    """
    return tuple(
        sorted(
            (type_url, ref)
            for type_url, table in snapshot.tables.items()
            for ref in table.refs
            if ref.name not in snapshot.tables.get(ref.type_url, ())
        )
    )
