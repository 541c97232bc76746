"""The way of operators to the controller: /manage, for tokens with the operator's role.

Decided in the public route table whoever the token's tenant is: an operator may have none, or one that is
suspended. The filter that makes it so is asleep but for requests that come for /manage.
"""

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.route.v3 import FilterConfig, Route, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import Any

from xds.names import PUBLIC_TENANT
from xds.translate.authentication import MANAGE, TENANT_HEADER, overwrite
from xds.translate.claims import is_or_has
from xds.translate.messages import pack, unlimited
from xds.translate.naming import CONTROLLER_CLUSTER
from xds.translate.options import EdgeOptions
from xds.translate.refusals import OPERATORS_ONLY, answer, direct

OPERATORS_FILTER = "alphaswarm.operators"

_CLAIMED = "x-alphaswarm-claimed-tenant"


def operators_filter() -> HttpFilter:
    """Make the request the public tenant's, after its token is checked and before its route is chosen again.

    So it must come right after the check: any filter that asks for its own config of a route has the route chosen.
    """
    mutations = [
        HeaderMutation(append=overwrite(_CLAIMED, f"%REQ({TENANT_HEADER})%")),
        HeaderMutation(append=overwrite(TENANT_HEADER, PUBLIC_TENANT)),
    ]
    config = HeaderMutationFilter(mutations=Mutations(request_mutations=mutations))
    return HttpFilter(name=OPERATORS_FILTER, typed_config=pack(config), disabled=True)


def manage(options: EdgeOptions) -> list[Route]:
    """The public table's routes for /manage: operators' to the controller, and the refusal of all others."""
    operators = options.operators
    granted = Route(
        match=RouteMatch(path_separated_prefix=MANAGE, dynamic_metadata=[is_or_has(operators.claim, operators.role)]),
        typed_per_filter_config=_awake(_tenant_again()),
    )
    if operators.controller is None:
        granted.direct_response = direct(404, "there is no controller")
    else:
        granted.route = unlimited(CONTROLLER_CLUSTER, options.connection.silence_timeout)
    return [granted, _waking()]


def refused(options: EdgeOptions) -> Route:
    """Every other table's route for /manage."""
    return _waking() if options.auth.admits_anonymous else answer(MANAGE, 403, OPERATORS_ONLY)


def _waking() -> Route:
    """A refusal that may be the first route of such a request, chosen before its token is known: it wakes the filter.

    That is the public table's, or the anonymous tenant's.
    """
    route = answer(MANAGE, 403, OPERATORS_ONLY)
    route.typed_per_filter_config = _awake(Mutations())
    return route


def _tenant_again() -> Mutations:
    """The route is chosen: give the header back the tenant that the token names, if it names one."""
    return Mutations(
        request_mutations=[
            HeaderMutation(remove=TENANT_HEADER),
            HeaderMutation(append=overwrite(TENANT_HEADER, f"%REQ({_CLAIMED})%")),
            HeaderMutation(remove=_CLAIMED),
        ]
    )


def _awake(mutations: Mutations) -> dict[str, Any]:
    return {OPERATORS_FILTER: pack(FilterConfig(config=pack(HeaderMutationPerRoute(mutations=mutations))))}
