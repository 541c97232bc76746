"""The HTTP face: readiness, status, metrics and the list of cells.

Answers from the status and metrics that it is given; must not know the ADS server or the registry.
"""

from xds.http.app import build_app
from xds.http.server import HttpServer

__all__ = ["HttpServer", "build_app"]
