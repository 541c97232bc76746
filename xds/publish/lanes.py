"""Two structures side by side: which of them a node is served, and how the second is kept beside the first.

The new structure of a group is a group of its own, whose name ends in `~next`; it holds only the tables that differ.
Pure.
"""

from collections.abc import Mapping
from dataclasses import replace

from xds.names import NodeGroup, Revision
from xds.publish.fleetview import LANE
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Chosen
from xds.snapshot import SHARED, Content, ResourceTable, Snapshot


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
        # One that differs in nothing is there all the same: its nodes are to say that they have it.
        tables[NodeGroup(group + LANE)] = _differing(held, wanted) or new.tables[group]
    return Content(tables=tables, apart=stable.apart)


def without_lanes(content: Content) -> Content:
    """The content by the structure in force alone; itself if there is no other."""
    tables = {group: held for group, held in content.tables.items() if not group.endswith(LANE)}
    return replace(content, tables=tables) if has_lanes(content) else content


def has_lanes(content: Content) -> bool:
    """Whether a new structure stands beside the one in force."""
    return any(group.endswith(LANE) for group in content.tables)


def is_rollouts(wanted: Content, current: Content) -> bool:
    """Whether nothing differs but what a rollout does by itself.

    That is: lanes come, change or go beside groups that stay as they are; or, in the end, each group becomes what its
    lane was.
    """
    if without_lanes(wanted).digest == without_lanes(current).digest:
        return True
    if has_lanes(wanted) or not has_lanes(current):
        return False
    now, then = current.snapshots(0, Revision(0)), wanted.snapshots(0, Revision(0))
    return all(
        group.removesuffix(LANE) in then and _versions(then[NodeGroup(group.removesuffix(LANE))]) == _versions(lane)
        for group, lane in now.items()
        if group.endswith(LANE)
    )


def _versions(snapshot: Snapshot) -> dict[str, str]:
    return {type_url: table.version_info for type_url, table in snapshot.tables.items() if len(table)}


def _differing(held: Mapping[str, ResourceTable], wanted: Mapping[str, ResourceTable]) -> dict[str, ResourceTable]:
    return {type_url: table for type_url, table in wanted.items() if table.version_info != held[type_url].version_info}
