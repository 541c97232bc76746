from collections.abc import Sequence

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations

from xds.translate.privacy import PRIVACY_FILTER, privacy_filter, telling


def mutations() -> Mutations:
    """What the filter does, as Envoy would read it."""
    config = privacy_filter().typed_config
    assert config is not None
    held = HeaderMutationFilter.parse(config.value).mutations
    assert held is not None
    return held


def removed(given: Sequence[HeaderMutation]) -> list[tuple[str | None, bool]]:
    """The prefixes that are removed, and whether in whatever case."""
    matchers = [each.remove_on_match.key_matcher for each in given if each.remove_on_match]
    return [(matcher.prefix, matcher.ignore_case) for matcher in matchers if matcher]


def test_no_internal_header_leaves_in_an_answer_or_its_trailers() -> None:
    internal = [("x-alphaswarm-", True), ("x-envoy-", True)]

    assert removed(mutations().response_mutations) == internal
    assert removed(mutations().response_trailers_mutations) == internal


def test_no_internal_header_enters_in_a_requests_trailers() -> None:
    assert removed(mutations().request_trailers_mutations) == [("x-alphaswarm-", True), ("x-envoy-", True)]


def test_a_websocket_names_no_header_as_hop_by_hop() -> None:
    (only,) = mutations().request_mutations

    assert only.append is not None
    assert only.append.header is not None
    assert (only.append.header.key, only.append.header.value) == ("connection", "Upgrade")
    assert only.append.append_action.name == "OVERWRITE_IF_EXISTS", "no other request has such a header any more"


def test_a_route_may_tell_one_thing_all_the_same() -> None:
    config = HeaderMutationPerRoute.parse(telling("x-alphaswarm-reason", "y")[PRIVACY_FILTER].value)

    assert config.mutations is not None
    (told,) = config.mutations.response_mutations
    assert told.append is not None
    assert told.append.header is not None
    assert (told.append.header.key, told.append.header.value) == ("x-alphaswarm-reason", "y")
