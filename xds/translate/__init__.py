"""Topology to Envoy resources, with envoy-data-plane's messages.

Pure. What cannot be translated is a `Problem` in the result; the rest is translated all the same.
"""

from xds.translate.authentication import TENANT_HEADER
from xds.translate.options import AuthOptions, CalloutOptions, CellBound, ClusterOptions, ConnectionOptions, EdgeOptions
from xds.translate.problems import Problem
from xds.translate.translation import Translation, retranslate, translate

__all__ = [
    "TENANT_HEADER",
    "AuthOptions",
    "CalloutOptions",
    "CellBound",
    "ClusterOptions",
    "ConnectionOptions",
    "EdgeOptions",
    "Problem",
    "Translation",
    "retranslate",
    "translate",
]
