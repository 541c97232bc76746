"""What is too much to take away at once."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.edge import cell, edge_options, endpoint, many_tenants, tenant, topology
from tests.support.translations import GRPC
from xds.model import Cell, CellState, Tenant, UpstreamProtocol
from xds.publish import Guard
from xds.publish.deciding import counts_of
from xds.snapshot import Content, ContentChange
from xds.translate import EdgeOptions, translate

NOTHING = Content(tables={}), ContentChange()
OPTIONS = edge_options()


def counts(tenants: int = 100, cells: int = 20, endpoints: int = 40) -> Mapping[str, int]:
    return {"tenants": tenants, "cells": cells, "endpoints": endpoints}


def objection(
    before: tuple[Cell | Tenant, ...],
    after: tuple[Cell | Tenant, ...],
    guard: Guard | None = None,
    options: EdgeOptions = OPTIONS,
) -> str:
    """What a guard says to a real change."""
    one, two = topology(*before), topology(*after)
    base = translate(one, options).content
    change = translate(two, options).content.changed_since(base)
    return (guard or Guard()).objection(counts_of(one), counts_of(two), base, change)


@pytest.mark.parametrize("kind", ["tenants", "cells", "endpoints"])
@pytest.mark.parametrize(
    ("before", "after", "is_held"),
    [
        (100, 80, False),  # the share itself is not more than the share
        (100, 79, True),
        (45, 36, False),  # exactly 20 %
        (40, 31, False),  # 22 %, but fewer than ten
        (40, 30, True),
        (100, 300, False),
        (1, 0, True),  # the last one
        (0, 0, False),
        (5, 1, False),
    ],
)
def test_a_share_and_a_least_number_or_all_of_a_kind(kind: str, before: int, after: int, is_held: bool) -> None:
    said = Guard().objection({**counts(), kind: before}, {**counts(), kind: after}, *NOTHING)

    assert bool(said) is is_held
    assert kind in said or not is_held


def test_every_reason_is_told_with_its_numbers() -> None:
    said = Guard().objection(counts(), counts(tenants=0, cells=9), *NOTHING)

    assert said == "guard: all 100 tenants would go, 11 of 20 cells would go (55 %)"


def test_the_limits_are_the_operators() -> None:
    lenient, strict = Guard(max_removed_percent=90), Guard(max_removed_percent=0, min_removed=1)

    assert lenient.objection(counts(), counts(tenants=15), *NOTHING) == ""
    assert strict.objection(counts(), counts(tenants=99), *NOTHING) == "guard: 1 of 100 tenants would go (1 %)"
    assert Guard(max_removed_percent=100).objection(counts(), counts(tenants=0), *NOTHING)


def test_who_is_replaced_is_gone_too() -> None:
    before, others = many_tenants(50), tuple(tenant(f"other-{number}") for number in range(50))

    assert objection((cell(), *before), (cell(), *others)) == "guard: 50 of 50 tenants would go (100 %)"


def test_who_moves_is_not_gone() -> None:
    cells = (cell(), cell("cell-b"))

    assert objection((*cells, *many_tenants(50)), (*cells, *many_tenants(50, "cell-b"))) == ""


def test_the_tables_anchors_are_no_tenants() -> None:
    cells = tuple(cell(f"cell-{number}") for number in range(30))
    guard = Guard(max_removed_percent=30, min_removed=1)

    assert objection((*cells, *many_tenants(20)), (*cells[:22], *many_tenants(20)), guard) == ""


def test_cells_that_are_replaced_are_gone_and_those_that_change_are_not() -> None:
    old = tuple(cell(f"cell-{number}") for number in range(10))
    new = tuple(cell(f"cell-new-{number}") for number in range(10))
    more = (endpoint(), endpoint("10.0.0.2:80"))
    other = tuple(replace(each, state=CellState.DRAINING, endpoints=more) for each in old)

    said = objection((*old, tenant()), (*new, tenant()))
    assert said == "guard: 10 of 10 cells would go (100 %), 10 of 10 endpoints would go (100 %)"
    assert objection((*old, tenant()), (*other, tenant())) == ""


def test_a_cell_that_is_served_to_grpc_clients_too_is_one_cell() -> None:
    cells = tuple(cell(f"cell-{number}", protocol=UpstreamProtocol.HTTP2) for number in range(10))
    options, guard = replace(OPTIONS, grpc_group=GRPC), Guard(min_removed=1)

    assert objection((*cells, tenant()), (*cells[:8], tenant()), guard, options) == ""
    assert "3 of 10 cells would go (30 %)" in objection((*cells, tenant()), (*cells[:7], tenant()), guard, options)


def cells_at(network: str, count: int = 10, endpoints: int = 4) -> tuple[Cell, ...]:
    """So many cells with so many endpoints each, by IP address, or by host name if the network is one."""
    return tuple(
        cell(
            f"cell-{number}",
            endpoints=tuple(endpoint(f"{network.format(number, each)}:80") for each in range(endpoints)),
        )
        for number in range(count)
    )


OLD, NEW = "10.0.{}.{}", "10.1.{}.{}"


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), ("a-{}-{}.example", "b-{}-{}.example"), (OLD, "b-{}-{}.example")])
def test_endpoints_that_are_exchanged_are_gone_too(old: str, new: str) -> None:
    said = objection((*cells_at(old), tenant()), (*cells_at(new), tenant()))

    assert said == "guard: 40 of 40 endpoints would go (100 %)"


def test_a_small_cell_may_get_other_addresses_and_a_fifth_of_all_may() -> None:
    before, other = cells_at(OLD), cells_at(NEW)

    assert objection((*before, tenant()), (*other[:2], *before[2:], tenant())) == ""
    assert "12 of 40 endpoints would go (30 %)" in objection((*before, tenant()), (*other[:3], *before[3:], tenant()))


def test_another_weight_zone_or_protocol_takes_no_endpoint_away() -> None:
    before = cells_at(OLD)
    after = tuple(
        replace(
            each,
            protocol=UpstreamProtocol.HTTP2,
            endpoints=tuple(replace(e, zone="b", weight=7) for e in each.endpoints),
        )
        for each in before
    )

    assert objection((*before, tenant()), (*after, tenant())) == ""


@pytest.mark.parametrize("network", [OLD, "a-{}-{}.example"])
def test_a_cell_that_loses_its_last_endpoint_is_held_and_one_that_is_retired_is_not(network: str) -> None:
    first, *others = cells_at(network)
    emptied, retired = replace(first, endpoints=()), replace(first, state=CellState.RETIRED)

    assert objection((first, *others, tenant()), (emptied, *others, tenant())) == (
        "guard: no endpoint would be left of cell-0-api"
    )
    assert objection((first, *others, tenant()), (retired, *others, tenant())) == ""
    assert objection((emptied, *others, tenant()), (emptied, *others, tenant("b"))) == "", "it had none before"
