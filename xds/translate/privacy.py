"""What is ours alone and must not leave: headers under our prefix and Envoy's own, in the answers of upstreams.

A route may put one back, by a config of its own for the filter, which runs after the filter's.
"""

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google.protobuf import Any

from xds.translate.authentication import HEADER_PREFIX, overwrite
from xds.translate.messages import pack

PRIVACY_FILTER = "alphaswarm.privacy"

_ENVOYS_PREFIX = "x-envoy-"


def privacy_filter() -> HttpFilter:
    """Drop every internal header of an answer, and those of ours that a client hides in its trailers."""
    inside = [_remove(prefix) for prefix in (HEADER_PREFIX, _ENVOYS_PREFIX)]
    mutations = Mutations(
        response_mutations=inside,
        response_trailers_mutations=inside,
        request_trailers_mutations=[_remove(HEADER_PREFIX)],
    )
    return HttpFilter(name=PRIVACY_FILTER, typed_config=pack(HeaderMutationFilter(mutations=mutations)))


def telling(name: str, value: str) -> dict[str, Any]:
    """A route's config under which its answers do have a header of ours."""
    mutations = Mutations(response_mutations=[HeaderMutation(append=overwrite(name, value))])
    return {PRIVACY_FILTER: pack(HeaderMutationPerRoute(mutations=mutations))}


def _remove(prefix: str) -> HeaderMutation:
    matcher = StringMatcher(prefix=prefix, ignore_case=True)
    return HeaderMutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=matcher))
