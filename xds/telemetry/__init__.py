"""What the running system says about itself: log lines and metrics.

Knows nothing about what it reports on: names and numbers are handed to it.
"""

from xds.telemetry.logs import Logger, configure, get_logger, redact
from xds.telemetry.metrics import CalloutOutcome, EndReason, LookupSource, Metrics, RequestKind, Variant
from xds.telemetry.native import native_lines

__all__ = [
    "CalloutOutcome",
    "EndReason",
    "Logger",
    "LookupSource",
    "Metrics",
    "RequestKind",
    "Variant",
    "configure",
    "get_logger",
    "native_lines",
    "redact",
]
