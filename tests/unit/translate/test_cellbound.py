from dataclasses import replace

from envoy_data_plane.envoy.config.rbac.v3 import MetadataSource, Principal, Rbac, RbacAction
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import RbacPerRoute

from tests.support.edge import SHARED, edge_options
from xds.names import TenantId
from xds.translate import AuthMode, AuthOptions, CellBound
from xds.translate.cellbound import only_in

AUTH = edge_options().auth


def made(auth: AuthOptions) -> RbacPerRoute:
    """The per-route config, as Envoy would read it."""
    config = only_in(SHARED, auth)
    assert config is not None
    return RbacPerRoute.parse(bytes(config))


def principals(rules: Rbac | None) -> list[Principal]:
    assert rules is not None
    (policy,) = rules.policies.values()
    (any_of,) = policy.principals
    assert any_of.or_ids is not None
    return any_of.or_ids.ids


def claim(principal: Principal | None) -> list[str]:
    """The path of the claim that is looked at."""
    assert principal is not None
    sourced = principal.sourced_metadata
    assert sourced is not None
    assert sourced.metadata_source is MetadataSource.DYNAMIC
    assert sourced.metadata_matcher is not None
    assert sourced.metadata_matcher.filter == "envoy.filters.http.jwt_authn"
    return [segment.key or "" for segment in sourced.metadata_matcher.path]


def test_a_token_may_name_no_cell_or_exactly_this_one() -> None:
    rbac = made(AUTH).rbac
    assert rbac is not None
    unbound, bound_here = principals(rbac.rules)

    assert claim(unbound.not_id) == claim(bound_here) == ["payload", "cell"]
    assert bound_here.sourced_metadata is not None
    matcher = bound_here.sourced_metadata.metadata_matcher
    assert matcher is not None
    assert matcher.value is not None
    assert matcher.value.string_match is not None
    assert matcher.value.string_match.exact == SHARED


def test_enforced_rules_allow_and_so_refuse_all_else() -> None:
    rbac = made(AUTH).rbac

    assert rbac is not None
    assert rbac.rules is not None
    assert rbac.rules.action is RbacAction.ALLOW
    assert (rbac.shadow_rules, rbac.rules_stat_prefix) == (None, "cba_")


def test_monitored_rules_are_the_same_and_only_counted() -> None:
    enforced, monitored = made(AUTH).rbac, made(replace(AUTH, cell_bound=CellBound.MONITOR)).rbac

    assert enforced is not None
    assert monitored is not None
    assert monitored.rules is None
    assert monitored.shadow_rules == enforced.rules
    assert monitored.shadow_rules_stat_prefix == "cba_"


def test_off_is_no_config_at_all() -> None:
    assert only_in(SHARED, replace(AUTH, cell_bound=CellBound.OFF)) is None


def test_a_claim_inside_another_is_reached_step_by_step() -> None:
    nested = replace(AUTH.issuers[0], cell_claim=("alphaswarm", "https://x.example/cell"))
    rbac = made(replace(AUTH, issuers=(nested,))).rbac

    assert rbac is not None
    assert claim(principals(rbac.rules)[1]) == ["payload", "alphaswarm", "https://x.example/cell"]


def test_with_several_issuers_no_claim_of_any_may_name_another_cell() -> None:
    other = replace(AUTH.issuers[0], issuer="https://other", cell_claim=("home",))
    rbac = made(replace(AUTH, issuers=(*AUTH.issuers, other))).rbac

    assert rbac is not None
    assert rbac.rules is not None
    (policy,) = rbac.rules.policies.values()
    (all_of,) = policy.principals
    assert all_of.and_ids is not None
    paths = [claim(each.or_ids.ids[1]) for each in all_of.and_ids.ids if each.or_ids is not None]
    assert paths == [["payload", "cell"], ["payload", "home"]]


def test_without_issuers_there_is_no_token_to_be_bound() -> None:
    nobody = AuthOptions(issuers=(), mode=AuthMode.OFF, anonymous_tenant=TenantId("acme"))

    assert only_in(SHARED, nobody) is None
