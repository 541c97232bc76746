"""Topology to Envoy resources, with envoy-data-plane's messages.

Pure. What cannot be translated is a `Problem` in the result; the rest is translated all the same.
"""

from xds.translate.grace import grace_end
from xds.translate.options import (
    AuthOptions,
    CellBound,
    ClusterOptions,
    ConnectionOptions,
    EdgeOptions,
    InternalOptions,
    OperatorOptions,
    TenantOptions,
)
from xds.translate.problems import Problem
from xds.translate.translation import Translation, retranslate, translate

__all__ = [
    "AuthOptions",
    "CellBound",
    "ClusterOptions",
    "ConnectionOptions",
    "EdgeOptions",
    "InternalOptions",
    "OperatorOptions",
    "Problem",
    "TenantOptions",
    "Translation",
    "grace_end",
    "retranslate",
    "translate",
]
