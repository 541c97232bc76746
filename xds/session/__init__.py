"""The xDS protocol without I/O: one session a stream, requests in, outputs out.

The rules are those of Envoy's "xDS REST and gRPC protocol"
(https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol); code that obeys one names its section.
Pure: the time is an argument, and what a peer does wrong is an output, never an exception.
"""

from xds.session.delta import DeltaSession
from xds.session.identity import Node, identify
from xds.session.lastgood import LastGood
from xds.session.limits import Limits
from xds.session.outputs import Acked, Ignored, Nacked, Output, Respond, Violated
from xds.session.requests import DeltaRequest, SotwRequest
from xds.session.sotw import SotwSession
from xds.session.standing import Progress, ResourceStanding, Standing

__all__ = [
    "Acked",
    "DeltaRequest",
    "DeltaSession",
    "Ignored",
    "LastGood",
    "Limits",
    "Nacked",
    "Node",
    "Output",
    "Progress",
    "ResourceStanding",
    "Respond",
    "SotwRequest",
    "SotwSession",
    "Standing",
    "Violated",
    "identify",
]
