"""A unary fetch: one request, answered from the present snapshot by a session of its own.

Always the whole answer, whatever version the request claims to hold. Where there is nothing it is a response
without resources, not NOT_FOUND: that there is none is an answer. Decides nothing about the protocol.
"""

from typing import Any

from xds.server import status
from xds.server.authorisation import refuse_node
from xds.server.services import Service, settle
from xds.server.status import Ending
from xds.server.stream import Surroundings, choose
from xds.server.wire import Garbage, decode_sotw
from xds.session import Respond, SotwRequest, SotwSession, Violated, identify
from xds.snapshot import Snapshot


def fetch(service: Service, data: bytes, context: Any, around: Surroundings) -> bytes | Ending:  # noqa: ANN401
    """The response to a request, or how to end instead."""
    try:
        claimed, request = decode_sotw(data)
    except Garbage as garbage:
        return status.violated(str(garbage))
    node = identify(claimed, None)
    if isinstance(node, Violated):
        return status.violated(node.reason)
    refusal = refuse_node(around.tls, context, node)
    if refusal:
        return refusal
    asked = settle(SotwRequest(type_url=request.type_url, names=request.names), service.type_url)
    if isinstance(asked, Violated):
        return status.violated(asked.reason)
    slot = choose(around.feed, node)
    return (
        slot
        if isinstance(slot, Ending)
        else _answer(asked, around.last_good[slot.snapshot.group].settle(slot.snapshot), around)
    )


def _answer(request: SotwRequest, snapshot: Snapshot, around: Surroundings) -> bytes:
    outputs = SotwSession(snapshot, around.limits, around.frames).receive(request, 0.0)
    frames = [output.frame for output in outputs if isinstance(output, Respond)]
    if frames:
        return frames[0]
    table = snapshot.tables.get(request.type_url)
    return around.frames.sotw(request.type_url, table.version_info if table else "", ())
