"""What a change would be for each Envoy: the resources, and their bytes, as they would really be sent.

Pure. The rest of the topology is not needed for it: tenants that do not change are not sent.
"""

from collections.abc import Mapping

from xds.model import Topology
from xds.operations.forecast import Forecast
from xds.snapshot import ResourceTable, delta_size, removal_size
from xds.translate import EdgeOptions, retranslate, translate


def forecast(before: Topology, after: Topology, options: EdgeOptions, *, now: float) -> Forecast:
    """What it would be to come from one topology to the other. Both need all cells, and the tenants that change."""
    changes = before.changes_to(after)
    then = translate(before, options, now=now)
    later = retranslate(then, changes, now=now)
    upserts, removed = _difference(then.shared, later.shared)
    return Forecast(
        tenants=len(changes.tenants),
        resources=len(upserts),
        removed=len(removed),
        bytes=sum(upserts) + sum(removed),
    )


def _difference(before: Mapping[str, ResourceTable], after: Mapping[str, ResourceTable]) -> tuple[list[int], list[int]]:
    """The bytes of each resource that is sent, and of each name that is told to be gone."""
    upserts: list[int] = []
    removed: list[int] = []
    for type_url, table in after.items():
        held = before[type_url]
        for name in table:
            resource, old = table.get(name), held.get(name)
            if resource is not None and (old is None or old.version != resource.version):
                upserts.append(delta_size(type_url, resource))
        removed.extend(removal_size(name) for name in held if name not in table)
    return upserts, removed
