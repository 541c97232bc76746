from collections.abc import Iterable

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
)

from xds.translate.privacy import PRIVACY_FILTER, privacy_filter, telling


def removed(mutations: Iterable[Mutation]) -> list[str]:
    """The prefixes, in whatever case, of the headers that are removed."""
    matchers = [each.remove_on_match.key_matcher for each in mutations if each.remove_on_match]
    assert all(matcher is not None and matcher.ignore_case for matcher in matchers)
    return [matcher.prefix or "" for matcher in matchers if matcher]


def test_no_internal_header_or_trailer_of_an_answer_gets_out() -> None:
    held = privacy_filter()

    assert (held.name, held.disabled) == (PRIVACY_FILTER, False)
    assert held.typed_config is not None
    mutations = HeaderMutation.parse(held.typed_config.value).mutations
    assert mutations is not None
    for part in (mutations.response_mutations, mutations.response_trailers_mutations):
        assert removed(part) == ["x-alphaswarm-", "x-envoy-"]


def test_no_header_of_ours_gets_in_by_the_trailers() -> None:
    held = privacy_filter()

    assert held.typed_config is not None
    mutations = HeaderMutation.parse(held.typed_config.value).mutations
    assert mutations is not None
    assert removed(mutations.request_trailers_mutations) == ["x-alphaswarm-"]


def test_a_route_may_tell_one_thing_all_the_same() -> None:
    config = HeaderMutationPerRoute.parse(telling("x-alphaswarm-reason", "y")[PRIVACY_FILTER].value)

    assert config.mutations is not None
    (told,) = config.mutations.response_mutations
    assert told.append is not None
    assert told.append.header is not None
    assert (told.append.header.key, told.append.header.value) == ("x-alphaswarm-reason", "y")
