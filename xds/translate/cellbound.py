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
    if auth.cell_bound is CellBound.OFF or not auth.cell_claims:
        return None
    each_is_free = [Principal(or_ids=PrincipalSet(ids=[*_free_in(cell, claim)])) for claim in auth.cell_claims]
    everywhere = Principal(and_ids=PrincipalSet(ids=each_is_free)) if len(each_is_free) > 1 else each_is_free[0]
    rules = Rbac(
        action=RbacAction.ALLOW,
        policies={
            "cell-bound": Policy(
                permissions=[Permission(any=True)],
                principals=[everywhere],
            )
        },
    )
    if auth.cell_bound is CellBound.MONITOR:
        return RbacPerRoute(rbac=RbacFilter(shadow_rules=rules, shadow_rules_stat_prefix=STAT_PREFIX))
    return RbacPerRoute(rbac=RbacFilter(rules=rules, rules_stat_prefix=STAT_PREFIX))


def _free_in(cell: CellId, claim: tuple[str, ...]) -> tuple[Principal, Principal]:
    unbound = Principal(not_id=_claim(claim, ValueMatcher(present_match=True)))
    return unbound, _claim(claim, ValueMatcher(string_match=StringMatcher(exact=cell)))


def _claim(name: tuple[str, ...], value: ValueMatcher) -> Principal:
    path = [*PAYLOAD_PATH, *name]
    matcher = MetadataMatcher(
        filter=PAYLOAD_NAMESPACE, path=[MetadataMatcherPathSegment(key=key) for key in path], value=value
    )
    return Principal(sourced_metadata=SourcedMetadata(metadata_matcher=matcher, metadata_source=MetadataSource.DYNAMIC))
