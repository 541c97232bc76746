from dataclasses import replace

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.route.v3 import FilterConfig, Route
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
)

from tests.support.edge import edge_options
from xds.names import TenantId
from xds.translate import AuthMode, EdgeOptions, OperatorOptions
from xds.translate.claims import is_or_has
from xds.translate.operators import OPERATORS_FILTER, manage, operators_filter, refused

HERE = edge_options(operators=OperatorOptions(claim=("aud",), role="ops", controller=("controller", 8000)))


def routes(options: EdgeOptions) -> tuple[Route, Route]:
    """What is granted and what is refused, as Envoy would read them."""
    granted, refused = (Route.parse(bytes(each)) for each in manage(options))
    return granted, refused


def told(mutation: Mutation) -> tuple[str, str]:
    """A header that is set and its value, or one that is removed."""
    if mutation.append is None:
        return mutation.remove or "", ""
    assert mutation.append.header is not None
    return mutation.append.header.key, mutation.append.header.value


def test_only_the_operators_role_leads_to_the_controller() -> None:
    granted, _ = routes(HERE)

    assert granted.match is not None
    assert (granted.match.path_separated_prefix, granted.match.dynamic_metadata) == (
        "/manage",
        [is_or_has(("aud",), "ops")],
    )
    assert granted.route is not None
    assert granted.route.cluster == "alphaswarm-controller"


def test_all_others_are_refused() -> None:
    _, refused = routes(HERE)

    assert refused.match is not None
    assert (refused.match.path_separated_prefix, refused.match.dynamic_metadata) == ("/manage", [])
    assert refused.direct_response is not None
    assert refused.direct_response.status == 403


def test_without_a_controller_operators_find_nothing() -> None:
    granted, refused = routes(edge_options())

    assert granted.route is None
    assert granted.direct_response is not None
    assert granted.direct_response.status == 404
    assert refused == routes(HERE)[1]


def test_the_filter_sleeps_until_a_request_comes_for_the_controller() -> None:
    assert operators_filter().disabled
    for route in routes(HERE):
        config = FilterConfig.parse(route.typed_per_filter_config[OPERATORS_FILTER].value)
        assert config.config is not None
        assert not config.disabled


def test_where_a_request_may_be_somebodys_without_a_token_every_refusal_wakes_it() -> None:
    anonymous = replace(HERE.auth, mode=AuthMode.OPTIONAL, anonymous_tenant=TenantId("acme"))

    assert refused(HERE).typed_per_filter_config == {}
    woken = refused(replace(HERE, auth=anonymous))
    assert Route.parse(bytes(woken)) == routes(replace(HERE, auth=anonymous))[1]
    assert OPERATORS_FILTER in woken.typed_per_filter_config


def test_whoevers_token_it_is_the_route_is_the_public_tenants() -> None:
    config = operators_filter().typed_config

    assert config is not None
    mutations = HeaderMutation.parse(config.value).mutations
    assert mutations is not None
    assert [told(each) for each in mutations.request_mutations] == [
        ("x-alphaswarm-claimed-tenant", "%REQ(x-alphaswarm-tenant)%"),
        ("x-alphaswarm-tenant", "-"),
    ]


def test_the_controller_is_told_the_tenant_of_the_token() -> None:
    granted, _ = routes(HERE)
    config = FilterConfig.parse(granted.typed_per_filter_config[OPERATORS_FILTER].value).config

    assert config is not None
    mutations = HeaderMutationPerRoute.parse(config.value).mutations
    assert mutations is not None
    assert [told(each) for each in mutations.request_mutations] == [
        ("x-alphaswarm-tenant", ""),
        ("x-alphaswarm-tenant", "%REQ(x-alphaswarm-claimed-tenant)%"),
        ("x-alphaswarm-claimed-tenant", ""),
    ]
