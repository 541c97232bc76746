from dataclasses import replace

from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication, JwtProvider
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import HeaderMutation

from tests.support.edge import AUDIENCE, ISSUER, JWKS, edge_options
from xds.translate.authentication import check_tokens, strip_headers

AUTH = edge_options().auth


def provider() -> JwtProvider:
    """The one provider, as Envoy would read it."""
    config = JwtAuthentication.parse(bytes(check_tokens(AUTH)))
    (only,) = config.providers.values()
    return only


def test_a_clients_headers_under_our_prefix_are_gone_before_ours_is_set() -> None:
    *strips, public = HeaderMutation.parse(bytes(strip_headers())).mutations

    matchers = [strip.remove_on_match.key_matcher for strip in strips if strip.remove_on_match]
    assert [(each.prefix, each.ignore_case) for each in matchers if each] == [
        ("x-alphaswarm-", True),
        ("x-envoy-", True),
    ]
    assert public.append is not None
    assert public.append.header is not None
    assert (public.append.header.key, public.append.header.value) == ("x-alphaswarm-tenant", "-")
    assert public.append.append_action.name == "OVERWRITE_IF_EXISTS_OR_ADD"


def test_issuer_audience_expiry_and_signature_are_all_checked() -> None:
    checked = provider()

    assert (checked.issuer, checked.audiences, checked.require_expiration) == (ISSUER, [AUDIENCE], True)
    assert checked.local_jwks is not None
    assert checked.local_jwks.inline_string == JWKS


def test_a_token_is_looked_for_in_its_header_only() -> None:
    checked = provider()

    assert [(each.name, each.value_prefix) for each in checked.from_headers] == [("Authorization", "Bearer ")]
    assert (checked.from_params, checked.from_cookies) == ([], [])


def test_the_tenant_claim_becomes_the_scope_key_and_the_route_is_chosen_again() -> None:
    checked = provider()

    assert [(each.header_name, each.claim_name) for each in checked.claim_to_headers] == [
        ("x-alphaswarm-tenant", "tenant_id")
    ]
    assert checked.clear_route_cache
    assert checked.payload_in_metadata == "payload"


def test_checked_tokens_are_cached() -> None:
    cache = provider().jwt_cache_config

    assert cache is not None
    assert cache.jwt_cache_size == 10_000


def test_nothing_behind_a_token_has_a_rule_that_lets_a_request_pass_without() -> None:
    config = JwtAuthentication.parse(bytes(check_tokens(AUTH)))

    paths = [rule.match.path_separated_prefix for rule in config.rules if rule.match is not None]
    needed = [rule.requires.provider_name for rule in config.rules if rule.requires is not None]
    assert paths == ["/api", "/ws", "/manage"]
    assert needed == ["idp"] * 3
    assert not config.bypass_cors_preflight


def test_the_claims_name_and_the_clocks_skew_are_the_operators() -> None:
    config = check_tokens(replace(AUTH, tenant_claim="org", clock_skew_seconds=5))
    (checked,) = JwtAuthentication.parse(bytes(config)).providers.values()

    assert checked.claim_to_headers[0].claim_name == "org"
    assert checked.clock_skew_seconds == 5
