"""Where requests are led, read back from what is pushed."""

import pytest

from tests.support.edge import cell, edge_options, endpoint, topology
from xds.names import ResourceName
from xds.translate import addresses, translate


@pytest.mark.parametrize("at", [("10.0.0.1:80", "10.0.0.2:81"), ("a.example:80", "b.example:81"), ()])
def test_the_addresses_of_a_cluster_are_those_of_its_cell(at: tuple[str, ...]) -> None:
    held = cell("cell-a", endpoints=tuple(endpoint(each) for each in at))
    content = translate(topology(held, cell("cell-b")), edge_options()).content

    found = addresses(content, ResourceName("cell-a-api"))

    assert {f"{address}:{port}" for address, port in found} == set(at)


def test_a_cluster_that_is_not_there_has_none() -> None:
    content = translate(topology(cell()), edge_options()).content

    assert addresses(content, ResourceName("cell-x-api")) == frozenset()
