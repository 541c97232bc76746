from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from tests.support.edge import cell, edge_options, tenant, topology
from xds.names import TenantId
from xds.translate import AuthMode, ConnectionOptions, EdgeOptions, TenantOptions, translate
from xds.translate.listeners import edge


def listener(
    options: EdgeOptions | None = None, *, connection: ConnectionOptions | None = None, **auth: Any
) -> Listener:
    """The listener, as Envoy would read it."""
    held = replace(options or edge_options(), connection=connection or ConnectionOptions())
    return Listener.parse(bytes(edge(("127.0.0.1", 10000), replace(held, auth=replace(held.auth, **auth)))))


def manager(
    options: EdgeOptions | None = None, *, connection: ConnectionOptions | None = None, **auth: Any
) -> HttpConnectionManager:
    (chain,) = listener(options, connection=connection, **auth).filter_chains
    (hcm,) = chain.filters
    assert hcm.typed_config is not None
    return HttpConnectionManager.parse(hcm.typed_config.value)


def test_it_listens_where_it_is_told() -> None:
    address = listener().address

    assert address is not None
    assert address.socket_address is not None
    assert (address.socket_address.address, address.socket_address.port_value) == ("127.0.0.1", 10000)


def test_tokens_are_checked_before_anything_is_decided_by_them() -> None:
    assert [(each.name, each.disabled) for each in manager().http_filters] == [
        ("envoy.filters.http.jwt_authn", False),
        ("alphaswarm.operators", True),
        ("alphaswarm.privacy", False),
        ("envoy.filters.http.router", False),
    ]


def test_the_tokens_check_comes_by_name_and_until_it_has_come_nobody_is_served() -> None:
    check = manager().http_filters[0]

    assert check.typed_config is None
    assert check.config_discovery is not None
    assert check.config_discovery.default_config is None
    assert check.config_discovery.type_urls == [
        "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
    ]
    assert check.config_discovery.config_source is not None
    assert check.config_discovery.config_source.initial_fetch_timeout == timedelta(0)


def test_other_keys_are_no_other_listener() -> None:
    (issuer,) = edge_options().auth.issuers

    assert bytes(listener(issuers=(replace(issuer, jwks="other"),))) == bytes(listener())


def test_with_no_token_looked_at_nothing_checks_one() -> None:
    names = [each.name for each in manager(mode=AuthMode.OFF, anonymous_tenant=TenantId("acme")).http_filters]

    assert names == ["alphaswarm.privacy", "envoy.filters.http.router"]


@pytest.mark.parametrize(("mode", "is_there"), [(AuthMode.REQUIRED, False), (AuthMode.OPTIONAL, True)])
def test_an_anonymous_request_says_whose_it_is(mode: AuthMode, *, is_there: bool) -> None:
    filters = {each.name: each for each in manager(mode=mode, anonymous_tenant=TenantId("acme")).http_filters}

    assert ("alphaswarm.anonymous" in filters) is is_there


@pytest.mark.parametrize("place", ["websocket_query", "websocket_cookie"])
def test_a_websockets_token_is_hidden_after_it_was_checked(place: str) -> None:
    names = [
        each.name
        for each in manager(None, connection=None, websocket_origins=("*",), **{place: "access_token"}).http_filters
    ]

    assert names.index("envoy.filters.http.jwt_authn") < names.index("envoy.filters.http.lua") < len(names) - 1


def test_the_headers_have_room_for_the_largest_token() -> None:
    assert manager(token_bytes=8193).max_request_headers_kb == 9 + 24


def test_the_scope_key_is_the_whole_tenant_header() -> None:
    scoped = manager().scoped_routes

    assert scoped is not None
    assert scoped.scope_key_builder is not None
    (fragment,) = scoped.scope_key_builder.fragments
    extractor = fragment.header_value_extractor
    assert extractor is not None
    assert (extractor.name, extractor.element_separator, extractor.index) == ("x-alphaswarm-tenant", "", 0)


def test_scopes_and_routes_come_over_ads_and_are_waited_for() -> None:
    scoped = manager().scoped_routes

    assert scoped is not None
    assert scoped.scoped_rds is not None
    for source in (scoped.rds_config_source, scoped.scoped_rds.scoped_rds_config_source):
        assert source is not None
        assert source.ads is not None
        assert source.initial_fetch_timeout == timedelta(0)


def test_websockets_are_allowed_by_the_listener() -> None:
    assert [each.upgrade_type for each in manager().upgrade_configs] == ["websocket"]


def test_paths_are_made_plain_before_anything_is_decided_by_them() -> None:
    held = manager()

    assert (held.normalize_path, held.merge_slashes) == (True, True)
    assert held.path_with_escaped_slashes_action.name == "UNESCAPE_AND_REDIRECT"


def test_a_header_that_a_backend_may_take_for_ours_is_refused() -> None:
    common = manager().common_http_protocol_options

    assert common is not None
    assert common.headers_with_underscores_action.name == "REJECT_REQUEST"


def test_an_unknown_tenant_is_refused_and_every_answer_is_json() -> None:
    replies = manager().local_reply_config

    assert replies is not None
    unknown = replies.mappers[0]
    assert unknown.filter is not None
    assert unknown.filter.response_flag_filter is not None
    assert (unknown.filter.response_flag_filter.flags, unknown.status_code) == (["NR"], 403)
    assert replies.body_format is not None
    assert replies.body_format.json_format is not None
    assert sorted(replies.body_format.json_format.fields) == ["error", "request_id", "status"]


@pytest.mark.parametrize(
    ("hides", "text"), [(False, "the tenant is unknown"), (True, "the tenant is unknown or suspended")]
)
def test_an_unknown_tenant_is_told_no_more_than_a_suspended_one_if_that_is_wanted(hides: bool, text: str) -> None:
    replies = manager(edge_options(tenants=TenantOptions(hides_suspended=hides))).local_reply_config

    assert replies is not None
    assert replies.mappers[0].body is not None
    assert replies.mappers[0].body.inline_string == text


def test_it_limits_what_one_client_can_take() -> None:
    held = manager()

    assert held.http2_protocol_options is not None
    assert held.http2_protocol_options.max_concurrent_streams == 100
    assert held.request_headers_timeout == timedelta(seconds=10)
    assert held.stream_idle_timeout == timedelta(minutes=5)
    assert listener().per_connection_buffer_limit_bytes == 32 * 1024
    assert held.max_request_headers_kb == 32
    assert held.common_http_protocol_options is not None
    assert held.common_http_protocol_options.max_headers_count == 100


def test_nothing_ends_an_answer_or_a_websocket_that_goes_on() -> None:
    held = manager()

    assert held.common_http_protocol_options is not None
    assert held.common_http_protocol_options.max_stream_duration is None
    assert held.common_http_protocol_options.max_connection_duration is None
    assert held.request_timeout == timedelta(hours=1), "it ends when the answer, or the websocket, begins"


@pytest.mark.parametrize("hops", [0, 1])
def test_a_client_is_who_connects_but_for_the_proxies_in_front(hops: int) -> None:
    held = manager(connection=ConnectionOptions(trusted_hops=hops))

    assert (held.use_remote_address, held.xff_num_trusted_hops) == (True, hops)


def test_every_answer_names_the_same_server() -> None:
    assert manager().server_name == "alphaswarm-edge"
    assert manager().server_header_transformation.name == "OVERWRITE"


def test_no_cell_and_no_tenant_is_named_in_it() -> None:
    with_many = translate(topology(cell(), tenant()), edge_options())
    with_none = translate(topology(), edge_options())

    assert [table.version_info for table in with_many.listeners.values()] == [
        table.version_info for table in with_none.listeners.values()
    ]
