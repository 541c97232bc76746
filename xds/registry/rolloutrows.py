"""Rollouts and the fleet as rows, and the SQL that reads and writes them.

Knows nothing about connections.
"""

import json
from datetime import UTC, datetime

from xds.names import NodeGroup, NodeId
from xds.operations.fleet import FleetNode, Replica
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves
from xds.registry.rows import Row

ROLLOUTS = """
SELECT id, structure, waves, soak_seconds, state, wave, wave_since, settled_at, nodes, reason, by, message, ended_at
  FROM rollouts WHERE $2::bigint IS NULL OR id < $2 ORDER BY id DESC LIMIT $1"""
PROPOSE = """
INSERT INTO rollouts (structure, waves, soak_seconds, state, wave, wave_since, settled_at, nodes, reason, by, message,
                      ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
        CASE WHEN $4 IN ('done', 'stopped') THEN clock_timestamp() END)"""
# What was read must still stand there: a publisher's step and an operator's word don't undo each other.
EXCHANGE = """
UPDATE rollouts SET structure = $1, waves = $2, soak_seconds = $3, state = $4, wave = $5, wave_since = $6,
       settled_at = $7, nodes = $8, reason = $9, by = $10, message = $11,
       ended_at = CASE WHEN $4 IN ('done', 'stopped') THEN clock_timestamp() END
 WHERE id = $12 AND state = $13 AND wave = $14 AND wave_since = $15"""
IS_KNOWN = """
SELECT EXISTS (SELECT FROM snapshots WHERE structure = $1)
    OR EXISTS (SELECT FROM rollouts WHERE structure = $1) AS known"""

REPLICA_SECONDS = 15.0
"""A replica that was silent for so long is gone, and its nodes with it."""

REPORT_REPLICA = """
INSERT INTO replicas (name, version, started_at, seen_at, snapshot, publishes)
VALUES ($1, $2, $3, clock_timestamp(), $4, $5)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, started_at = excluded.started_at,
       seen_at = excluded.seen_at, snapshot = excluded.snapshot, publishes = excluded.publishes"""
# A process that starts under the name of one that ended does not know that one's nodes.
REPORT_RESTART = """
UPDATE fleet_nodes SET gone_at = seen_at FROM replicas
 WHERE name = replica AND replica = $1 AND started_at <> $2 AND gone_at IS NULL"""
FORGET_REPLICAS = "DELETE FROM replicas WHERE seen_at < clock_timestamp() - interval '1 hour'"
FORGET_NODES = "DELETE FROM fleet_nodes WHERE replica = $1 AND gone_at < clock_timestamp() - interval '1 hour'"
REPORT_NODES = """
INSERT INTO fleet_nodes (replica, node_id, node_group, lane, region, zone, labels, user_agent, variant, peer,
                         connected_at, gone_at, is_settled, behind_since, error, types)
SELECT $1, node_id, node_group, lane, region, zone, labels, user_agent, variant, peer, connected_at, NULL, is_settled,
       behind_since, error, types
  FROM jsonb_to_recordset($2::jsonb) AS n (node_id text, node_group text, lane text, region text, zone text,
       labels jsonb, user_agent text, variant text, peer text, connected_at timestamptz, is_settled boolean,
       behind_since timestamptz, error text, types jsonb)
ON CONFLICT (replica, node_id) DO UPDATE SET node_group = excluded.node_group, lane = excluded.lane,
       region = excluded.region, zone = excluded.zone, labels = excluded.labels, user_agent = excluded.user_agent,
       variant = excluded.variant, peer = excluded.peer, connected_at = excluded.connected_at, gone_at = NULL,
       is_settled = excluded.is_settled, behind_since = excluded.behind_since, error = excluded.error,
       types = excluded.types"""
REPORT_GONE = """
UPDATE fleet_nodes SET gone_at = clock_timestamp()
 WHERE replica = $1 AND node_id = ANY ($2::text[]) AND gone_at IS NULL"""
REPLICAS = """
SELECT name, version, started_at, seen_at, snapshot, publishes FROM replicas
 WHERE seen_at > clock_timestamp() - $1 * interval '1 second' ORDER BY name"""
NODES = """
SELECT replica, node_id, node_group, lane, region, zone, labels, user_agent, variant, peer, connected_at, is_settled,
       behind_since, error, types,
       CASE WHEN seen_at > clock_timestamp() - $1 * interval '1 second' THEN gone_at ELSE coalesce(gone_at, seen_at) END
       AS gone_at
  FROM fleet_nodes JOIN replicas ON name = replica ORDER BY node_id, replica"""


def to_rollout(row: Row) -> Rollout:
    """A rollout."""
    return Rollout(
        id=row["id"],
        structure=row["structure"],
        waves=Waves(row["waves"]),
        soak_seconds=row["soak_seconds"],
        state=RolloutState(row["state"]),
        wave=row["wave"],
        wave_since=row["wave_since"].timestamp(),
        settled_at=_seconds(row["settled_at"]),
        nodes=frozenset(map(NodeId, row["nodes"])),
        reason=row["reason"],
        by=row["by"],
        message=row["message"],
        ended_at=_seconds(row["ended_at"]),
    )


def rollout_values(rollout: Rollout) -> tuple[object, ...]:
    """A rollout's columns, but for its id and its end."""
    return (
        rollout.structure,
        rollout.waves.text,
        rollout.soak_seconds,
        rollout.state.value,
        rollout.wave,
        to_time(rollout.wave_since),
        None if rollout.settled_at is None else to_time(rollout.settled_at),
        sorted(rollout.nodes),
        rollout.reason,
        rollout.by,
        rollout.message,
    )


def replica_values(replica: Replica) -> tuple[object, ...]:
    """A replica's columns, but for when it was seen."""
    return replica.name, replica.version, to_time(replica.started_at), replica.snapshot, replica.publishes


def to_replica(row: Row) -> Replica:
    """A replica."""
    return Replica(
        name=row["name"],
        version=row["version"],
        started_at=row["started_at"].timestamp(),
        seen_at=row["seen_at"].timestamp(),
        snapshot=row["snapshot"],
        publishes=row["publishes"],
    )


def node_document(node: FleetNode) -> dict[str, object]:
    """A node as the database's JSON reader takes it."""
    return {
        "node_id": node.id,
        "node_group": node.group,
        "lane": node.lane,
        "region": node.region,
        "zone": node.zone,
        "labels": dict(node.labels),
        "user_agent": node.user_agent,
        "variant": node.variant,
        "peer": node.peer,
        "connected_at": to_time(node.connected_at).isoformat(),
        "is_settled": node.is_settled,
        "behind_since": None if node.behind_since is None else to_time(node.behind_since).isoformat(),
        "error": node.error,
        "types": {label: dict(of_type) for label, of_type in node.types.items()},
    }


def to_node(row: Row) -> FleetNode:
    """A node."""
    return FleetNode(
        replica=row["replica"],
        id=NodeId(row["node_id"]),
        group=NodeGroup(row["node_group"]),
        lane=NodeGroup(row["lane"]),
        region=row["region"],
        zone=row["zone"],
        labels=json.loads(row["labels"]),
        user_agent=row["user_agent"],
        variant=row["variant"],
        peer=row["peer"],
        connected_at=row["connected_at"].timestamp(),
        gone_at=_seconds(row["gone_at"]),
        is_settled=row["is_settled"],
        behind_since=_seconds(row["behind_since"]),
        error=row["error"],
        types=json.loads(row["types"]),
    )


def to_time(seconds: float) -> datetime:
    """A time in seconds since the epoch as the database takes it."""
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
