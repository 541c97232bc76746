"""Tokens with a claim that no header may carry: a line feed in its subject, say.

The check of tokens writes such a claim into its header all the same, and Envoy then can't send the request to any
upstream, which it counts, and answers, as a failure of the upstream's. It is the token's, and so a refusal. To look at
the claim on a route would cost every request; the mapping of Envoy's own answers is looked at with those alone.
"""

import re

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    HeaderFilter,
    OrFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import DataSource, RuntimeUInt32
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import ResponseMapper
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from xds.translate.authentication import SUBJECT_HEADER, TENANT_HEADER

UNWRITABLE_TEXT = "the token has a claim that no header can carry"
_UNWRITABLE = r"(?s).*[\x00-\x08\x0a-\x1f\x7f].*"
"""What no field value may have (RFC 9110, section 5.5)."""


def is_unwritable(value: str) -> bool:
    """Whether no header can carry the value."""
    return re.fullmatch(_UNWRITABLE, value) is not None


def unwritable_claim() -> ResponseMapper:
    """A 401 for a request that Envoy could not send for a claim of its token's."""
    failed = ComparisonFilter(
        op=ComparisonFilterOp.EQ,
        value=RuntimeUInt32(default_value=503, runtime_key="alphaswarm.edge.unwritable_status"),
    )
    # The tenant's reaches an upstream unread for /manage alone: elsewhere it has no scope.
    either = OrFilter(filters=[_is_unwritable(SUBJECT_HEADER), _is_unwritable(TENANT_HEADER)])
    both = AndFilter(
        filters=[
            AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=failed)),
            AccessLogFilter(or_filter=either),
        ]
    )
    return ResponseMapper(
        filter=AccessLogFilter(and_filter=both), status_code=401, body=DataSource(inline_string=UNWRITABLE_TEXT)
    )


def _is_unwritable(header: str) -> AccessLogFilter:
    matcher = StringMatcher(safe_regex=RegexMatcher(regex=_UNWRITABLE))
    return AccessLogFilter(header_filter=HeaderFilter(header=HeaderMatcher(name=header, string_match=matcher)))
