"""Two structures side by side: which of them a node is served, and how the second is kept beside the first.

The new structure of a group is a group of its own, whose name ends in `~next`; it holds only the tables that differ.
Pure.
"""

from collections.abc import Mapping

from xds.names import NodeGroup
from xds.publish.fleetview import LANE
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Chosen
from xds.snapshot import SHARED, Content, ResourceTable


def lane_of(node: Chosen, rollout: Rollout | None) -> NodeGroup:
    """The group whose content a node is to be served, if there is such a content.

    Of a rollout that is done there is none any more as soon as the new structure is everyone's; until then nobody must
    be taken back to the old one.
    """
    group = NodeGroup(node.group)
    if rollout is None or rollout.state not in (RolloutState.RUNNING, RolloutState.DONE):
        return group
    return NodeGroup(group + LANE) if rollout.waves.wave_of(node) <= rollout.wave else group


def with_lanes(stable: Content, new: Content) -> Content:
    """The content with the new structure beside it, for each group of Envoys that both have."""
    tables = dict(stable.tables)
    for group in stable.tables.keys() & new.tables.keys() - stable.apart - {SHARED}:
        held = {**stable.tables[SHARED], **stable.tables[group]}
        wanted = {**new.tables[SHARED], **new.tables[group]}
        tables[NodeGroup(group + LANE)] = _differing(held, wanted)
    return Content(tables=tables, apart=stable.apart)


def _differing(held: Mapping[str, ResourceTable], wanted: Mapping[str, ResourceTable]) -> dict[str, ResourceTable]:
    return {type_url: table for type_url, table in wanted.items() if table.version_info != held[type_url].version_info}
