"""Cell-bound tokens: one that names a cell must not be used in another.

Decided on the token's payload in dynamic metadata, never on headers, which a client may repeat.
"""

from envoy_data_plane.envoy.config.rbac.v3 import (
    MetadataSource,
    Permission,
    Policy,
    Principal,
    PrincipalSet,
    Rbac,
    RbacAction,
    SourcedMetadata,
)
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac as RbacFilter
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import RbacPerRoute
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    StringMatcher,
    ValueMatcher,
)

from xds.names import CellId
from xds.translate.authentication import PAYLOAD_NAMESPACE, PAYLOAD_PATH
from xds.translate.options import AuthOptions, CellBound

RBAC_FILTER = "envoy.filters.http.rbac"
STAT_PREFIX = "cba_"


def only_in(cell: CellId, auth: AuthOptions) -> RbacPerRoute | None:
    """What a cell's routes demand of a token: no cell claim, or exactly this cell. None if it is not looked at."""
    if auth.cell_bound is CellBound.OFF:
        return None
    unbound = Principal(not_id=_claim(auth.cell_claim, ValueMatcher(present_match=True)))
    bound_here = _claim(auth.cell_claim, ValueMatcher(string_match=StringMatcher(exact=cell)))
    rules = Rbac(
        action=RbacAction.ALLOW,
        policies={
            "cell-bound": Policy(
                permissions=[Permission(any=True)],
                principals=[Principal(or_ids=PrincipalSet(ids=[unbound, bound_here]))],
            )
        },
    )
    if auth.cell_bound is CellBound.MONITOR:
        return RbacPerRoute(rbac=RbacFilter(shadow_rules=rules, shadow_rules_stat_prefix=STAT_PREFIX))
    return RbacPerRoute(rbac=RbacFilter(rules=rules, rules_stat_prefix=STAT_PREFIX))


def _claim(name: str, value: ValueMatcher) -> Principal:
    path = [*PAYLOAD_PATH, *name.split(".")]
    matcher = MetadataMatcher(
        filter=PAYLOAD_NAMESPACE, path=[MetadataMatcherPathSegment(key=key) for key in path], value=value
    )
    return Principal(sourced_metadata=SourcedMetadata(metadata_matcher=matcher, metadata_source=MetadataSource.DYNAMIC))
