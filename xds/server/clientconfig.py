"""What one client was sent, and what became of it, in CSDS' messages.

Envoy's field for a version is that of what was sent last, as is the content; ours beside it is the version that
was acknowledged last. Times are those of the type's last answer on the stream. Must not change anything.
"""

from collections.abc import Iterator

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp

from xds.proto import admin_pb2, core_pb2, status_pb2
from xds.server.fleet import Refusal, StreamRecord, TypeRecord
from xds.session import Node, Progress, ResourceStanding

_STATUS = {
    Progress.NOT_SENT: status_pb2.NOT_SENT,
    Progress.SENT: status_pb2.STALE,
    Progress.ACKED: status_pb2.SYNCED,
    Progress.NACKED: status_pb2.ERROR,
}


def tell_node(node: Node) -> core_pb2.Node:
    """The node, as far as it is known."""
    agent, _, version = node.user_agent.partition(" ")
    return core_pb2.Node(id=node.id, cluster=node.group, user_agent_name=agent, user_agent_version=version)


def tell_resources(record: StreamRecord, *, with_content: bool) -> Iterator[bytes]:
    """Every resource that the client asks for or still holds, each a GenericXdsConfig; may be read in steps."""
    standings = record.session.standings() if record.session else {}
    for type_url, standing in standings.items():
        history = record.of_type(type_url)
        refusals = history.refusals_by_name()
        for name in standing.names():
            told = _resource(type_url, standing.of(name), history, refusals[name], with_content=with_content)
            yield told.SerializeToString()


def _resource(
    type_url: str, standing: ResourceStanding, history: TypeRecord, refusal: Refusal | None, *, with_content: bool
) -> status_pb2.ClientConfig.GenericXdsConfig:
    told = status_pb2.ClientConfig.GenericXdsConfig(
        type_url=type_url,
        name=standing.name,
        version_info=standing.sent or "",
        acknowledged_version_info=standing.acked or "",
        config_status=_STATUS[standing.progress],
        client_status=_client_status(standing),
    )
    if with_content and standing.content:
        told.xds_config.CopyFrom(AnyMessage(type_url=type_url, value=standing.content.body))
    if standing.acked and history.acked_at:
        told.last_updated.CopyFrom(_timestamp(history.acked_at))
    if standing.progress is Progress.NACKED:
        told.error_state.CopyFrom(_error(standing, refusal))
    return told


def _client_status(standing: ResourceStanding) -> "admin_pb2.ClientResourceStatus.ValueType":
    if standing.progress is Progress.NACKED:
        return admin_pb2.NACKED
    if standing.acked:
        return admin_pb2.ACKED
    return admin_pb2.DOES_NOT_EXIST if standing.progress is Progress.ACKED else admin_pb2.REQUESTED


def _error(standing: ResourceStanding, refusal: Refusal | None) -> admin_pb2.UpdateFailureState:
    state = admin_pb2.UpdateFailureState(version_info=standing.sent or "")
    if refusal:
        state.details = refusal.error
        state.last_update_attempt.CopyFrom(_timestamp(refusal.at))
    return state


def _timestamp(seconds: float) -> Timestamp:
    whole = int(seconds)
    return Timestamp(seconds=whole, nanos=int((seconds - whole) * 1e9))
