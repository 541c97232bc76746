"""Whole translations of topologies, for Envoys and gRPC clients at once."""

import random
from dataclasses import replace
from datetime import timedelta

from tests.support.edge import edge_options, topology
from xds.model import Topology
from xds.names import NodeGroup
from xds.translate import TenantOptions, Translation, retranslate, translate

GRPC = NodeGroup("alphaswarm-grpc")
NOW = 100.0
GRACE = TenantOptions(grace=timedelta(seconds=10))
OPTIONS = replace(edge_options(client=("alphaswarm-client", 3000), tenants=GRACE), grpc_group=GRPC)
EMPTY = translate(topology(revision=0), OPTIONS)


def full(of: Topology) -> Translation:
    """The translation of a topology; the options' own resources, which never change, are not encoded again."""
    return retranslate(EMPTY, EMPTY.topology.changes_to(of), now=NOW)


def shuffled(of: Topology, seed: int) -> Topology:
    """The same topology, its cells and tenants in another order."""
    order = random.Random(seed)
    return Topology(
        revision=of.revision,
        cells=dict(order.sample(sorted(of.cells.items()), len(of.cells))),
        tenants=dict(order.sample(sorted(of.tenants.items()), len(of.tenants))),
    )
