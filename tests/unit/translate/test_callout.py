"""Which requests are asked about, whom, and what of an answer counts."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from tests.support.edge import GROUP, ISSUER, JWKS, cell, edge_options, resources, tenant, topology
from xds.bootstrap import XDS_CLUSTER
from xds.names import TenantId, TypeUrl
from xds.opaque import OPAQUE_BEARER
from xds.snapshot import Ref
from xds.translate import AuthMode, CalloutOptions, EdgeOptions, translate
from xds.translate.authentication import ANONYMOUS_FILTER, JWT_FILTER
from xds.translate.callout import CALLOUT_FILTER, RETRY_AFTER_SECONDS, callout_filter, let_opaque_pass, unanswered
from xds.translate.listeners import edge
from xds.translate.naming import CALLOUT_CLUSTER
from xds.translate.operators import OPERATORS_FILTER

ELSEWHERE = CalloutOptions(address=("tenant-router.internal", 18000), timeout=timedelta(milliseconds=150))
HERE = CalloutOptions()
IDP = f"{ISSUER} header"
SOME_TOPOLOGY = topology(cell(), tenant())


def filters(callout: CalloutOptions | None, options: EdgeOptions | None = None) -> list[str]:
    """The HTTP filters of the listener in order."""
    listener = Listener.parse(bytes(edge(("127.0.0.1", 10000), options or edge_options(callout=callout))))
    hcm = listener.filter_chains[0].filters[0].typed_config
    assert hcm is not None
    return [each.name for each in HttpConnectionManager.parse(hcm.value).http_filters]


def check(callout: CalloutOptions | None = HERE) -> JwtAuthentication:
    """The check of tokens, as Envoy gets it."""
    extensions = translate(SOME_TOPOLOGY, edge_options(callout=callout)).shared[TypeUrl.EXTENSION]
    (extension,) = extensions.values()
    packed = TypedExtensionConfig.parse(extension.body).typed_config
    assert packed is not None
    return JwtAuthentication.parse(packed.value)


def authz(callout: CalloutOptions = HERE) -> ExtAuthz:
    packed = callout_filter(callout).typed_config
    assert packed is not None
    return ExtAuthz.parse(packed.value)


def test_without_a_callout_no_byte_is_another() -> None:
    before = check(None)

    assert "opaque" not in before.providers
    assert [rule.match.headers for rule in before.rules if rule.match] == [[], [], []]
    assert "envoy.filters.http.ext_authz" not in filters(None)
    assert let_opaque_pass(before, None) is before


def test_it_is_asked_after_the_check_of_tokens_and_of_operators_who_must_have_no_route_between() -> None:
    asked, plain = filters(HERE), filters(None)

    assert asked[:3] == [JWT_FILTER, OPERATORS_FILTER, CALLOUT_FILTER]
    assert [*plain[:2], CALLOUT_FILTER, *plain[2:]] == asked


def test_it_is_asked_before_a_request_without_a_tenant_is_the_anonymous_ones() -> None:
    auth = replace(edge_options(callout=HERE).auth, mode=AuthMode.OPTIONAL, anonymous_tenant=TenantId("acme"))
    names = filters(HERE, replace(edge_options(), auth=auth))

    assert names.index(CALLOUT_FILTER) < names.index(ANONYMOUS_FILTER)


def test_where_no_token_is_looked_at_nobody_is_asked() -> None:
    auth = replace(edge_options(callout=HERE).auth, mode=AuthMode.OFF, anonymous_tenant=TenantId("acme"), issuers=())
    listener = bytes(edge(("127.0.0.1", 10000), replace(edge_options(), auth=auth)))

    assert CALLOUT_FILTER.encode() not in listener


def test_only_what_can_be_no_jwt_passes_the_check_and_only_where_tenants_have_business() -> None:
    passing = [rule for rule in check().rules if rule.match and rule.match.headers]

    assert [rule.match.path_separated_prefix for rule in passing if rule.match] == ["/api", "/ws"]
    for rule in passing:
        assert rule.match is not None
        (header,) = rule.match.headers
        assert (header.name, header.invert_match) == ("authorization", False)
        assert header.string_match is not None
        assert header.string_match.safe_regex is not None
        assert header.string_match.safe_regex.regex == OPAQUE_BEARER
    assert re.fullmatch(OPAQUE_BEARER, "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln") is None


def test_the_rules_of_jwts_follow_as_they_were() -> None:
    assert check().rules[2:] == check(None).rules
    assert check().providers[IDP] == check(None).providers[IDP]


def test_what_passes_gets_a_note_and_no_tenant() -> None:
    provider = check().providers["opaque"]

    assert provider.failed_status_in_metadata == "opaque"
    assert (provider.claim_to_headers, provider.payload_in_metadata, provider.clear_route_cache) == ([], "", False)
    assert [(each.name, each.value_prefix) for each in provider.from_headers] == [("Authorization", "Bearer ")]
    assert provider.local_jwks is not None
    assert provider.local_jwks.inline_string == JWKS
    for rule in check().rules[:2]:
        assert rule.requires is not None
        assert rule.requires.requires_any is not None
        noted, passing = rule.requires.requires_any.requirements
        assert (noted.provider_name, passing.allow_missing_or_failed is not None) == ("opaque", True)


def test_only_what_has_the_note_is_asked_about() -> None:
    noted = authz().filter_enabled_metadata

    assert noted is not None
    assert (noted.filter, [each.key for each in noted.path]) == ("envoy.filters.http.jwt_authn", ["opaque", "code"])
    assert noted.value is not None
    assert (noted.value.present_match, noted.invert) == (True, False)


def test_it_fails_closed_and_in_time() -> None:
    held = authz(ELSEWHERE)

    assert (held.failure_mode_allow, held.clear_route_cache) == (False, True)
    assert held.status_on_error is not None
    assert held.status_on_error.code == 503
    assert held.grpc_service is not None
    assert held.grpc_service.timeout == timedelta(milliseconds=150)


def test_of_an_answer_the_tenant_counts_and_nothing_else() -> None:
    rules = authz().decoder_header_mutation_rules

    assert rules is not None
    assert (rules.disallow_all, rules.disallow_is_error) == (True, True)
    assert rules.allow_expression is not None
    assert rules.allow_expression.regex == "x-alphaswarm-tenant"
    assert authz().enable_dynamic_metadata_ingestion is False


def test_of_a_request_only_the_header_with_the_token_is_sent() -> None:
    held = authz()

    assert held.allowed_headers is not None
    assert [each.exact for each in held.allowed_headers.patterns] == ["authorization"]
    assert held.with_request_body is None
    assert not held.include_peer_certificate


@pytest.mark.parametrize(("callout", "cluster"), [(HERE, XDS_CLUSTER), (ELSEWHERE, CALLOUT_CLUSTER)])
def test_it_is_asked_where_the_config_comes_from_unless_another_place_is_named(
    callout: CalloutOptions, cluster: str
) -> None:
    grpc = authz(callout).grpc_service

    assert grpc is not None
    assert grpc.envoy_grpc is not None
    assert grpc.envoy_grpc.cluster_name == cluster


def test_another_place_is_a_cluster_that_the_listener_waits_for() -> None:
    translation = translate(SOME_TOPOLOGY, edge_options(callout=ELSEWHERE))

    (listener,) = translation.listeners[GROUP].values()
    assert listener.needs == (Ref(TypeUrl.CLUSTER, CALLOUT_CLUSTER),)
    assert (TypeUrl.CLUSTER, CALLOUT_CLUSTER) in resources(translation)


@pytest.mark.parametrize("callout", [None, HERE])
def test_no_other_place_is_no_cluster(callout: CalloutOptions | None) -> None:
    translation = translate(SOME_TOPOLOGY, edge_options(callout=callout))

    (listener,) = translation.listeners[GROUP].values()
    assert listener.needs == ()
    assert (TypeUrl.CLUSTER, CALLOUT_CLUSTER) not in resources(translation)


def test_nothing_but_the_listener_and_the_check_differs() -> None:
    plain = translate(SOME_TOPOLOGY, edge_options()).shared
    asking = translate(SOME_TOPOLOGY, edge_options(callout=HERE)).shared

    differing = [url for url in plain if plain[url].version_info != asking[url].version_info]
    assert differing == [TypeUrl.EXTENSION]


def test_who_got_no_answer_is_told_to_come_again() -> None:
    reply = unanswered()

    assert reply.filter is not None
    assert reply.filter.and_filter is not None
    flag, status = reply.filter.and_filter.filters
    assert flag.response_flag_filter is not None
    assert flag.response_flag_filter.flags == ["UAEX"]
    assert status.status_code_filter is not None
    assert status.status_code_filter.comparison is not None
    assert status.status_code_filter.comparison.value is not None
    assert status.status_code_filter.comparison.value.default_value == 503
    (header,) = reply.headers_to_add
    assert header.header is not None
    assert (header.header.key, header.header.value) == ("retry-after", str(RETRY_AFTER_SECONDS))
