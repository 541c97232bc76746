"""Topologies and edge options: builders with sane defaults, and strategies for any that can occur.

A test states what it is about; the rest is filled in here.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from xds.model import Arrival, Cell, CellState, Endpoint, Tenant, TenantState, Topology, UpstreamProtocol
from xds.names import CellId, NodeGroup, Revision, TenantId
from xds.snapshot import Resource
from xds.translate import (
    AuthOptions,
    CalloutOptions,
    CellBound,
    ClusterOptions,
    EdgeOptions,
    InternalOptions,
    IssuerOptions,
    OperatorOptions,
    TenantOptions,
    Translation,
)

ISSUER = "https://idp.test.example"
AUDIENCE = "alphaswarm-test"
GROUP = NodeGroup("alphaswarm-edge")
SHARED = CellId("cell-shared-std-local")

INTERNAL = InternalOptions(
    listeners={GROUP: ("127.0.0.1", 10443)},
    certificate_file="/etc/alphaswarm/tls/edge.pem",
    key_file="/etc/alphaswarm/tls/edge.key",
    ca_file="/etc/alphaswarm/tls/ca.pem",
    allowed_sans=("spiffe://alpha-swarm/billing", "worker.internal"),
)

JWKS = json.dumps(
    {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "alg": "ES256",
                "use": "sig",
                "kid": "test-1",
                # The public key of RFC 7517, appendix A.1.
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
            }
        ]
    }
)


def edge_options(
    *,
    issuer: str = ISSUER,
    jwks: str = JWKS,
    cell_bound: CellBound = CellBound.ENFORCE,
    listeners: Mapping[NodeGroup, tuple[str, int]] | None = None,
    client: tuple[str, int] | None = None,
    cluster: ClusterOptions | None = None,
    callout: CalloutOptions | None = None,
    operators: OperatorOptions | None = None,
    tenants: TenantOptions | None = None,
    internal: InternalOptions | None = None,
) -> EdgeOptions:
    """Options for one node group, unless others are named."""
    return EdgeOptions(
        auth=AuthOptions(
            issuers=(IssuerOptions(issuer=issuer, audiences=(AUDIENCE,), jwks=jwks, operators=True),),
            cell_bound=cell_bound,
            callout=callout,
        ),
        listeners=listeners or {GROUP: ("127.0.0.1", 10000)},
        client=client,
        cluster=cluster or ClusterOptions(),
        operators=operators or OperatorOptions(),
        tenants=tenants or TenantOptions(),
        internal=internal,
    )


def endpoint(at: str = "10.0.0.1:8000", *, zone: str = "", weight: int = 1) -> Endpoint:
    """An endpoint at `address:port`."""
    address, _, port = at.rpartition(":")
    return Endpoint(address=address, port=int(port), zone=zone, weight=weight)


def cell(
    cell_id: str = SHARED,
    *,
    state: CellState = CellState.ACTIVE,
    protocol: UpstreamProtocol = UpstreamProtocol.HTTP1,
    endpoints: tuple[Endpoint, ...] | None = None,
) -> Cell:
    """A cell, with one endpoint unless others are named."""
    held = (endpoint(),) if endpoints is None else endpoints
    return Cell(id=CellId(cell_id), state=state, protocol=protocol, endpoints=tuple(sorted(held)))


def tenant(
    tenant_id: str = "acme",
    cell_id: str = SHARED,
    *,
    suspended: bool = False,
    came_from: str = "",
    at: float = 0.0,
) -> Tenant:
    """A tenant; it has moved, at that time, if it came from somewhere."""
    state = TenantState.SUSPENDED if suspended else TenantState.ACTIVE
    arrival = Arrival(CellId(came_from), at) if came_from else None
    return Tenant(TenantId(tenant_id), CellId(cell_id), state, arrival)


def topology(*things: Cell | Tenant, revision: int = 1) -> Topology:
    """The topology of these cells and tenants, in the order in which they are named."""
    return Topology(
        revision=Revision(revision),
        cells={each.id: each for each in things if isinstance(each, Cell)},
        tenants={each.id: each for each in things if isinstance(each, Tenant)},
    )


def many_tenants(count: int, cell_id: str = SHARED) -> tuple[Tenant, ...]:
    """As many tenants in one cell."""
    return tuple(tenant(f"tenant-{number:06}", cell_id) for number in range(count))


def resources(translation: Translation) -> dict[tuple[str, str], Resource]:
    """Every resource by type URL (for listeners: and node group) and name."""
    tables = {**translation.shared, **{f"listener of {group}": each for group, each in translation.listeners.items()}}
    return {(key, name): held for key, table in tables.items() for name in table if (held := table.get(name))}


def contents(translation: Translation) -> dict[tuple[str, str], bytes]:
    """Every resource's bytes, by the keys of `resources`."""
    return {key: resource.body for key, resource in resources(translation).items()}


# Strategies. Few ids, so that two topologies have much in common and much between them differs; some of the
# values are wrong, as a registry without its checks could hold them.

_CELL_IDS = ("cell-a", "cell-b", "cell-c-d", "cell-", "Cell-x", "public")
_TENANT_IDS = ("acme", "Beta.1", "g_h-i", "0", "-", "-/cell-a", "two words", "", "true", "WyJhYiJd")
_ADDRESSES = ("10.0.0.1", "10.0.0.2", "2001:db8::1", "api.example", "10.0.0.300", "no host")


def endpoints() -> st.SearchStrategy[Endpoint]:
    """Endpoints, some of which are wrong."""
    return st.builds(
        Endpoint,
        address=st.sampled_from(_ADDRESSES),
        port=st.sampled_from((0, 80, 8000, 65535, 65536)),
        zone=st.sampled_from(("", "a", "b")),
        weight=st.sampled_from((-1, 0, 1, 100, 2**40)),
    )


def cells() -> st.SearchStrategy[Cell]:
    """Cells, some of which are wrong."""
    return st.builds(
        lambda cell_id, state, protocol, held, region: replace(
            cell(cell_id, state=state, protocol=protocol, endpoints=tuple(held)), region=region
        ),
        st.sampled_from(_CELL_IDS),
        st.sampled_from(CellState),
        st.sampled_from(UpstreamProtocol),
        st.frozensets(endpoints(), max_size=4),
        st.sampled_from(("local", "")),
    )


def tenants() -> st.SearchStrategy[Tenant]:
    """Tenants, some of which are wrong, or in a cell that is not there."""
    return st.builds(
        lambda tenant_id, cell_id, state, came_from, at: replace(
            tenant(tenant_id, cell_id, came_from=came_from, at=at), state=state
        ),
        st.sampled_from(_TENANT_IDS),
        st.sampled_from((*_CELL_IDS, "cell-gone")),
        st.sampled_from(TenantState),
        st.sampled_from(("", "", *_CELL_IDS, "cell-gone")),
        st.sampled_from((0.0, 95.0, 99.0, 1000.0)),
    )


def topologies() -> st.SearchStrategy[Topology]:
    """Topologies of a few cells and tenants."""
    return st.builds(
        lambda some_cells, some_tenants: topology(*some_cells, *some_tenants),
        st.lists(cells(), max_size=5),
        st.lists(tenants(), max_size=7),
    )
