"""The server of the discovery services, client status, authorization and control: the only package that speaks gRPC.

Decodes requests, drives a session a stream, writes what the session says. Knows no rule of the protocol.
"""

from xds.server.control import ControlService
from xds.server.extauthz import Authorization
from xds.server.fleet import Fleet
from xds.server.operators import Operators
from xds.server.reporting import Reporter
from xds.server.service import AdsServer, ServerOptions
from xds.server.stream import Surroundings
from xds.server.tls import Certificates, Tls

__all__ = [
    "AdsServer",
    "Authorization",
    "Certificates",
    "ControlService",
    "Fleet",
    "Operators",
    "Reporter",
    "ServerOptions",
    "Surroundings",
    "Tls",
]
