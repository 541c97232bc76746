"""What is ours alone and must not pass between clients and upstreams, either way.

Headers under our prefix and Envoy's own do not leave in the answers of upstreams, nor do ours enter in trailers. (What
a client sends as a header is gone before: see `authentication`.) A route may put one back, by a config of its own for
the filter, which runs after the filter's.
"""

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google.protobuf import Any

from xds.translate.authentication import ENVOYS_PREFIX, HEADER_PREFIX, overwrite
from xds.translate.messages import pack

PRIVACY_FILTER = "alphaswarm.privacy"


def privacy_filter() -> HttpFilter:
    """Drop every internal header of an answer, and those that a client hides in its trailers.

    Envoy hands on the `Connection` header of a websocket's request as it came. A client could name ours in it, and an
    upstream that takes it at its word would drop them as hop-by-hop (RFC 9110, section 7.6.1).
    """
    inside = [_remove(prefix) for prefix in (HEADER_PREFIX, ENVOYS_PREFIX)]
    mutations = Mutations(
        request_mutations=[HeaderMutation(append=_only_upgrade())],
        response_mutations=inside,
        response_trailers_mutations=inside,
        request_trailers_mutations=inside,
    )
    return HttpFilter(name=PRIVACY_FILTER, typed_config=pack(HeaderMutationFilter(mutations=mutations)))


def _only_upgrade() -> HeaderValueOption:
    return HeaderValueOption(
        header=HeaderValue(key="connection", value="Upgrade"),
        append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS,
    )


def telling(name: str, value: str) -> dict[str, Any]:
    """A route's config under which its answers do have a header of ours."""
    mutations = Mutations(response_mutations=[HeaderMutation(append=overwrite(name, value))])
    return {PRIVACY_FILTER: pack(HeaderMutationPerRoute(mutations=mutations))}


def _remove(prefix: str) -> HeaderMutation:
    matcher = StringMatcher(prefix=prefix, ignore_case=True)
    return HeaderMutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=matcher))
