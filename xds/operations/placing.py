"""Which cell a tenant is placed in, by a named policy; and that no cell gets more tenants than it has room for.

Policies are pure: how full the cells are goes in, a cell comes out.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from xds.errors import Conflict, RequestError
from xds.names import CellId
from xds.placementsettings import brought_policies, expected_policies


@dataclass(frozen=True, slots=True)
class Fill:
    """How many tenants a cell has a place for (None: any number), and how many places are taken.

    A tenant that an override has elsewhere takes one there, and keeps its own; so does one that is to move in phases.
    """

    cell: CellId
    tenants: int
    capacity: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether one more fits in."""
        return self.capacity is None or self.tenants < self.capacity

    @property
    def share(self) -> float:
        """The part of its places that is taken; 0 for a cell that has no limit."""
        return 0.0 if self.capacity is None else self.tenants / self.capacity if self.capacity else 1.0


Policy = Callable[[Sequence[Fill]], CellId]
"""Chooses among cells that have room, of which there is one at least."""


def least_filled(fills: Sequence[Fill]) -> CellId:
    """The cell with the smallest share of its places taken; of those, the one with the fewest tenants."""
    return min(fills, key=lambda fill: (fill.share, fill.tenants, fill.cell)).cell


def most_filled(fills: Sequence[Fill]) -> CellId:
    """The cell with the greatest share of its places taken, so that few cells are in use."""
    return min(fills, key=lambda fill: (-fill.share, -fill.tenants, fill.cell)).cell


POLICIES: Mapping[str, Policy] = MappingProxyType({"least-filled": least_filled, "most-filled": most_filled})
"""Our own policies by their names in PLACEMENT_POLICY; other packages may bring more."""

DEFAULT_POLICY = "least-filled"


def policy_named(name: str) -> Policy:
    """The policy of that name, ours or another package's; raises `RequestError` if there is none that can be used."""
    if name in POLICIES:
        return POLICIES[name]
    brought = brought_policies().get(name)
    if brought is None:
        raise RequestError(f"placement policy: expected {expected_policies()}, got {name!r}")
    try:
        policy: Policy = brought.load()
    except (ImportError, AttributeError) as error:
        raise RequestError(f"placement policy {name}: {brought.value} can't be used: {error}") from error
    return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a tenant is to be placed: in an active shared cell of this tier and region, chosen by this policy."""

    tier: str = "std"
    region: str = "local"
    policy: str = DEFAULT_POLICY


class Places(Protocol):
    """What must be known of cells before anybody is placed there; a part of a transaction."""

    async def fills(self, cells: Collection[CellId]) -> Mapping[CellId, Fill]:
        """How full these cells are."""
        ...

    async def open_cells(self, tier: str, region: str) -> Sequence[CellId]:
        """The active shared cells of a tier and region, locked to be changed, by id."""
        ...

    async def open_cells_like(self, cell: CellId) -> Sequence[CellId]:
        """Those of a cell's tier and region, and in any case the cell itself, locked to be changed, by id."""
        ...


class Placer:
    """Places tenants one after the other, each where the policy has it with those before it."""

    def __init__(self, fills: Collection[Fill], policy: str, described: str) -> None:
        self._name, self._policy = policy, policy_named(policy)
        self._fills = {fill.cell: fill for fill in fills}
        self._described = described

    def place(self) -> CellId:
        """The cell of the next tenant; raises `Conflict` when there is no room left."""
        with_room = [fill for fill in self._fills.values() if fill.has_room]
        if not with_room:
            raise Conflict(self._refusal())
        cell = self._policy(with_room)
        if all(fill.cell != cell for fill in with_room):
            raise Conflict(f"placement policy {self._name}: expected a cell that has room, got {cell!r}")
        self._fills[cell] = replace(self._fills[cell], tenants=self._fills[cell].tenants + 1)
        return cell

    def _refusal(self) -> str:
        if not self._fills:
            return f"no cell takes tenants: expected {self._described}, there is none"
        full = ", ".join(f"{fill.cell} ({fill.tenants} of {fill.capacity})" for fill in self._fills.values())
        return f"no cell takes tenants: of {self._described} all are full: {full}"


async def placer(transaction: Places, wish: Wish) -> Placer:
    """Whoever places tenants as is wished; locks the cells that are looked at."""
    cells = await transaction.open_cells(wish.tier, wish.region)
    fills = await transaction.fills(cells)
    return Placer(fills.values(), wish.policy, described(wish.tier, wish.region))


def described(tier: str, region: str) -> str:
    """The cells that tenants are placed in, in words."""
    return f"an active shared cell of tier {tier} in region {region}"


@asynccontextmanager
async def within_capacity(transaction: Places, cells: Collection[CellId]) -> AsyncIterator[None]:
    """Refuse what is done inside if a cell has more tenants for it than it has room for.

    The cells must be locked to be changed. One that had too many before may keep them, and may lose some.
    """
    before = await transaction.fills(cells)
    yield
    for cell, fill in sorted((await transaction.fills(cells)).items()):
        more = fill.tenants - before[cell].tenants
        if fill.capacity is not None and more > 0 and fill.tenants > fill.capacity:
            held = before[cell].tenants
            raise Conflict(f"cell {cell}: is full: has room for {fill.capacity} tenants, has {held}, {more} more came")
