from dataclasses import replace

import pytest
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication, JwtProvider
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import HeaderMutation

from tests.support.edge import AUDIENCE, ISSUER, JWKS, edge_options
from xds.names import TenantId
from xds.translate import AuthMode, AuthOptions, CellBound, IssuerOptions
from xds.translate.authentication import check_tokens, for_routes_alone, strip_headers

AUTH = edge_options().auth
OTHER = IssuerOptions(
    issuer="https://other", audiences=("a", "b"), jwks="{}", tenant_claim=("org", "id"), cell_claim=("home",)
)
ACME = TenantId("acme")


def check(auth: AuthOptions = AUTH) -> JwtAuthentication:
    """The check, as Envoy would read it."""
    return JwtAuthentication.parse(bytes(check_tokens(auth)))


def provider() -> JwtProvider:
    """The provider of tenants' tokens."""
    tenants, _operators = check().providers.values()
    return tenants


def requirements(config: JwtAuthentication) -> list[list[str]]:
    """Which providers satisfy each rule; `-` is that there is no token."""
    found = []
    for rule in config.rules:
        assert rule.requires is not None
        any_of = rule.requires.requires_any
        each_of = any_of.requirements if any_of else [rule.requires]
        found.append([each.provider_name or "-" for each in each_of])
    return found


@pytest.mark.parametrize(
    ("auth", "tenant"),
    [
        (AUTH, "-"),
        (replace(AUTH, anonymous_tenant=ACME), "-"),
        (replace(AUTH, mode=AuthMode.OPTIONAL), "-"),
        (replace(AUTH, mode=AuthMode.OPTIONAL, anonymous_tenant=ACME), "acme"),
        (replace(AUTH, mode=AuthMode.OFF, anonymous_tenant=ACME), "acme"),
    ],
)
def test_a_clients_headers_under_our_prefix_are_gone_before_ours_is_set(auth: AuthOptions, tenant: str) -> None:
    *strips, public = HeaderMutation.parse(bytes(strip_headers(auth))).mutations

    matchers = [strip.remove_on_match.key_matcher for strip in strips if strip.remove_on_match]
    assert [(each.prefix, each.ignore_case) for each in matchers if each] == [
        ("x-alphaswarm-", True),
        ("x-envoy-", True),
    ]
    assert public.append is not None
    assert public.append.header is not None
    assert (public.append.header.key, public.append.header.value) == ("x-alphaswarm-tenant", tenant)
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
        ("x-alphaswarm-tenant", "tenant_id"),
        ("x-alphaswarm-subject", "sub"),
        ("x-alphaswarm-cell-claim", "cell"),
    ]
    assert checked.clear_route_cache


def test_the_payload_is_copied_for_operators_alone_whose_cell_does_not_matter() -> None:
    tenants, operators = check().providers.values()

    assert (tenants.payload_in_metadata, operators.payload_in_metadata) == ("", "payload")
    assert [each.claim_name for each in operators.claim_to_headers] == ["tenant_id", "sub"]
    assert operators.clear_route_cache
    same = replace(operators, payload_in_metadata="", claim_to_headers=tenants.claim_to_headers)
    assert same == tenants


def test_only_of_issuers_that_may_name_operators_are_the_claims_told() -> None:
    config = check(replace(AUTH, issuers=(*AUTH.issuers, OTHER)))

    told = {name: each.payload_in_metadata for name, each in config.providers.items() if each.payload_in_metadata}
    assert told == {f"{ISSUER} operators": "payload"}


def test_where_somebody_is_anonymous_every_token_has_its_route_chosen_again() -> None:
    tenants, _ = check(replace(AUTH, mode=AuthMode.OPTIONAL, anonymous_tenant=ACME)).providers.values()

    assert ("x-alphaswarm-issuer", "iss") in [(each.header_name, each.claim_name) for each in tenants.claim_to_headers]


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        (AUTH, ["x-alphaswarm-cell-claim"]),
        (replace(AUTH, cell_bound=CellBound.OFF), []),
        (
            replace(AUTH, mode=AuthMode.OPTIONAL, anonymous_tenant=ACME),
            ["x-alphaswarm-cell-claim", "x-alphaswarm-issuer"],
        ),
        (replace(AUTH, mode=AuthMode.OFF, anonymous_tenant=ACME), []),
    ],
)
def test_what_is_written_for_the_routes_is_named_for_removal(auth: AuthOptions, headers: list[str]) -> None:
    assert for_routes_alone(auth) == headers


def test_where_no_token_is_bound_no_cell_is_read() -> None:
    checked = check(replace(AUTH, cell_bound=CellBound.OFF)).providers[f"{ISSUER} header"]

    assert [each.claim_name for each in checked.claim_to_headers] == ["tenant_id", "sub"]


def test_checked_tokens_are_cached_up_to_the_largest() -> None:
    cache = provider().jwt_cache_config

    assert cache is not None
    assert (cache.jwt_cache_size, cache.jwt_max_token_size) == (10_000, 8192)


def test_nothing_behind_a_token_has_a_rule_that_lets_a_request_pass_without() -> None:
    config = check()

    assert [rule.match.path_separated_prefix for rule in config.rules if rule.match] == ["/api", "/ws", "/manage"]
    assert requirements(config) == [[f"{ISSUER} header"]] * 2 + [[f"{ISSUER} operators"]]
    assert not config.bypass_cors_preflight


def test_a_token_of_any_issuer_will_do_and_each_is_read_its_own_way() -> None:
    config = check(replace(AUTH, issuers=(*AUTH.issuers, OTHER)))

    both = [[f"{ISSUER} {place}", f"https://other {place}"] for place in ("header", "header", "operators")]
    assert requirements(config) == both
    other = config.providers["https://other header"]
    assert (other.issuer, other.audiences) == ("https://other", ["a", "b"])
    assert [each.claim_name for each in other.claim_to_headers] == ["org.id", "sub", "home"]


def test_an_optional_token_may_be_missing_but_not_bad_and_an_operator_needs_one() -> None:
    config = check(replace(AUTH, mode=AuthMode.OPTIONAL))

    assert requirements(config) == [[f"{ISSUER} header", "-"]] * 2 + [[f"{ISSUER} operators"]]
    for rule in config.rules[:2]:
        assert rule.requires is not None
        assert rule.requires.requires_any is not None
        assert all(each.allow_missing_or_failed is None for each in rule.requires.requires_any.requirements)


def test_a_websockets_token_is_looked_for_in_one_place_alone() -> None:
    origins = ("https://app.example",)
    named = replace(AUTH, websocket_query="access_token", websocket_cookie="session", websocket_origins=origins)
    config = check(named)

    assert requirements(config) == [
        [f"{ISSUER} header"],
        [f"{ISSUER} header"],
        [f"{ISSUER} query"],
        [f"{ISSUER} cookie"],
        [f"{ISSUER} header"],
        [f"{ISSUER} operators"],
    ]
    places = [(each.from_headers != [], each.from_params, each.from_cookies) for each in config.providers.values()]
    assert places == [(True, [], []), (False, ["access_token"], []), (False, [], ["session"]), (True, [], [])]


def test_the_clocks_skew_is_the_operators() -> None:
    held = check(replace(AUTH, clock_skew_seconds=5)).providers.values()

    assert {each.clock_skew_seconds for each in held} == {5}


def test_a_claim_with_a_dot_in_its_name_is_reached_by_its_path() -> None:
    issuer = replace(AUTH.issuers[0], tenant_claim=("org", "https://x.example/tenant"))

    made = bytes(check_tokens(replace(AUTH, issuers=(issuer,))))

    # JwtClaimToHeader: header_name = 1; claim_path = 3, of messages with key = 1
    header = b"\x0a\x13x-alphaswarm-tenant"
    path = b"\x1a\x05\x0a\x03org" + b"\x1a\x1a\x0a\x18https://x.example/tenant"
    assert header + path in made
    assert b"tenant_id" not in made


def test_tokens_are_never_checked_without_keys() -> None:
    with pytest.raises(ValueError, match=f"issuer {ISSUER}: its keys are not known"):
        check_tokens(edge_options(jwks="").auth)
