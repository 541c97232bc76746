"""Snapshots written into a real database, as a publisher would write them."""

import time
from collections.abc import Sequence

from tests.support.edge import cell, edge_options, tenant, topology
from xds.names import Revision
from xds.publish import Entry, Kind, Recorded
from xds.registry import PostgresRegistry
from xds.snapshot import Content
from xds.translate import translate

OPTIONS = edge_options()
EMPTY = Content(tables={})


def content(*tenants: str, moved: str = "") -> Content:
    """What is served for these tenants, of whom one lives in the second of two cells."""
    cells = (cell(), cell("cell-b"))
    lodged = [tenant(each, "cell-b" if each == moved else cells[0].id) for each in tenants]
    return translate(topology(*cells, *lodged), OPTIONS).content


async def record(registry: PostgresRegistry, *contents: Content) -> Sequence[Recorded]:
    """Record these as the first snapshots, one after the other."""
    recorded: list[Recorded] = []
    async with registry.snapshots.lead() as lead:
        for number, held in enumerate(contents, start=1):
            before = recorded[-1].content if recorded else EMPTY
            change = held.changed_since(before)
            entry = Entry(
                number=number,
                revision=Revision(10 * number),
                digest=held.digest,
                at=round(time.time(), 3),
                by="replica-1",
                kind=Kind.FIRST if number == 1 else Kind.CHANGE,
                message=f"number {number}",
                counts={"tenants": number, "cells": 2},
                upserts=len(change.upserts),
                removed=len(change.removed),
                structure="{}",
            )
            await lead.record(entry, held, change)
            recorded.append(Recorded(entry=entry, content=held))
    return recorded
