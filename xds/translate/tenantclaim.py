"""Tokens whose tenant claim is no text are refused.

Envoy would write a number, a list or an object into the tenant header too: rounded, or in base64, and so perhaps as
another tenant's id. And with several issuers it tells by which claim of whose token a tenant was named.
"""

from envoy_data_plane.envoy.config.rbac.v3 import (
    MetadataSource,
    Permission,
    PermissionSet,
    Policy,
    Principal,
    PrincipalSet,
    Rbac,
    RbacAction,
    SourcedMetadata,
)
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac as RbacFilter
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    PathMatcher,
    RegexMatcher,
    StringMatcher,
    ValueMatcher,
)

from xds.translate.authentication import PAYLOAD_NAMESPACE, PAYLOAD_PATH
from xds.translate.options import AuthOptions, IssuerOptions

TENANT_FILTER = "alphaswarm.tenant_claim"
STAT_PREFIX = "tenant_claim_"

_TENANTS_PATHS = ("/api", "/ws")
"""Where a token speaks for a tenant; an operator's need not name one."""

_ISSUER = ("iss",)
_SOME_TEXT = ValueMatcher(string_match=StringMatcher(safe_regex=RegexMatcher(regex=".+")))


def require_tenant(auth: AuthOptions) -> RbacFilter:
    """Refuse a checked token to a tenant's path unless its issuer's tenant claim is a text."""
    is_token = _claim(_ISSUER, ValueMatcher(present_match=True))
    names_tenant = Principal(or_ids=PrincipalSet(ids=[_named_by(issuer) for issuer in auth.issuers]))
    paths = [Permission(url_path=PathMatcher(path=StringMatcher(prefix=path))) for path in _TENANTS_PATHS]
    policy = Policy(
        permissions=[Permission(or_rules=PermissionSet(rules=paths))],
        principals=[Principal(and_ids=PrincipalSet(ids=[is_token, Principal(not_id=names_tenant)]))],
    )
    rules = Rbac(action=RbacAction.DENY, policies={"tenant-claim": policy})
    return RbacFilter(rules=rules, rules_stat_prefix=STAT_PREFIX)


def _named_by(issuer: IssuerOptions) -> Principal:
    is_theirs = _claim(_ISSUER, ValueMatcher(string_match=StringMatcher(exact=issuer.issuer)))
    return Principal(and_ids=PrincipalSet(ids=[is_theirs, _claim(issuer.tenant_claim, _SOME_TEXT)]))


def _claim(path: tuple[str, ...], value: ValueMatcher) -> Principal:
    segments = [MetadataMatcherPathSegment(key=key) for key in (*PAYLOAD_PATH, *path)]
    matcher = MetadataMatcher(filter=PAYLOAD_NAMESPACE, path=segments, value=value)
    return Principal(sourced_metadata=SourcedMetadata(metadata_matcher=matcher, metadata_source=MetadataSource.DYNAMIC))
