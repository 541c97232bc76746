"""The HTTP face: readiness, status, metrics and the list of cells; tokens for API keys; explanations.

Answers from what it is given; must not know the ADS server or the registry.
"""

from xds.http.app import build_app, build_refusal
from xds.http.gate import Gate
from xds.http.limiter import RateLimiter
from xds.http.manage import ManageFace
from xds.http.resolve import ResolveFace
from xds.http.server import HttpServer
from xds.http.tokens import TokenFace, TokenLimits

__all__ = [
    "Gate",
    "HttpServer",
    "ManageFace",
    "RateLimiter",
    "ResolveFace",
    "TokenFace",
    "TokenLimits",
    "build_app",
    "build_refusal",
]
