from dataclasses import replace

from envoy_data_plane.envoy.config.rbac.v3 import Policy, Principal, RbacAction
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac

from tests.support.edge import ISSUER, edge_options
from xds.translate import AuthOptions, IssuerOptions
from xds.translate.tenantclaim import require_tenant

AUTH = edge_options().auth
OTHER = IssuerOptions(issuer="https://other", audiences=("a",), tenant_claim=("org", "https://x.example/id"))


def policy(auth: AuthOptions) -> Policy:
    """The one policy, as Envoy would read it."""
    rules = Rbac.parse(bytes(require_tenant(auth))).rules
    assert rules is not None
    assert rules.action is RbacAction.DENY
    (only,) = rules.policies.values()
    return only


def said(principal: Principal) -> tuple[list[str], str]:
    """The path of the claim that is looked at, and what it must be."""
    assert principal.sourced_metadata is not None
    matcher = principal.sourced_metadata.metadata_matcher
    assert matcher is not None
    assert matcher.value is not None
    text = matcher.value.string_match
    if text is None:
        return [each.key or "" for each in matcher.path], "anything"
    assert text.safe_regex or text.exact
    return [each.key or "" for each in matcher.path], text.exact or "text"


def test_only_a_tenants_paths_ask_for_a_tenant() -> None:
    (permission,) = policy(AUTH).permissions

    assert permission.or_rules is not None
    paths = [each.url_path.path.prefix for each in permission.or_rules.rules if each.url_path and each.url_path.path]
    assert paths == ["/api", "/ws"]


def test_a_token_is_refused_unless_its_own_issuers_claim_is_a_text() -> None:
    (principal,) = policy(replace(AUTH, issuers=(*AUTH.issuers, OTHER))).principals

    assert principal.and_ids is not None
    is_token, nobody = principal.and_ids.ids
    assert said(is_token) == (["payload", "iss"], "anything")
    assert nobody.not_id is not None
    assert nobody.not_id.or_ids is not None
    named_by = [[said(part) for part in each.and_ids.ids] for each in nobody.not_id.or_ids.ids if each.and_ids]
    assert named_by == [
        [(["payload", "iss"], ISSUER), (["payload", "tenant_id"], "text")],
        [(["payload", "iss"], "https://other"), (["payload", "org", "https://x.example/id"], "text")],
    ]
