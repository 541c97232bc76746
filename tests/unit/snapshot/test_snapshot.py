"""A snapshot holds together, or says what is missing."""

import dataclasses

import pytest

from tests.support.builders import (
    CDS,
    EDS,
    RDS,
    SRDS,
    anchor,
    cluster,
    eds_cluster,
    endpoints,
    ref,
    route,
    scope,
    snapshot,
)
from xds.snapshot import Snapshot, dangling


def test_a_table_is_found_by_its_type() -> None:
    whole = snapshot(cluster("a"), endpoints("a"))

    assert len(whole.table(CDS)) == 1
    assert whole.table(EDS) is whole.tables[EDS]


def test_a_snapshot_that_holds_together_has_nothing_dangling() -> None:
    items = (eds_cluster("a"), endpoints("a"), route("r", ["a"]), anchor("r"), scope("t", "r"))

    assert dangling(snapshot(*items)) == ()


def test_every_missing_resource_is_told_once_with_the_type_that_names_it() -> None:
    broken = snapshot(eds_cluster("a"), route("r", ["b"]), route("s", ["b"]), scope("t", "x"), anchor("y"))

    assert dangling(broken) == (
        (CDS, ref(EDS, "a")),
        (RDS, ref(CDS, "b")),
        (SRDS, ref(RDS, "x")),
        (SRDS, ref(RDS, "y")),
    )


def test_a_type_that_is_missing_as_a_whole_is_told_in_the_same_way() -> None:
    whole = snapshot(eds_cluster("a"))
    partial = Snapshot(number=1, revision=whole.revision, group=whole.group, tables={CDS: whole.table(CDS)})

    assert dangling(partial) == ((CDS, ref(EDS, "a")),)


def test_a_snapshot_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot().number = 2  # type: ignore[misc]  # that it is refused is the point
