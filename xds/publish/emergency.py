"""Tenants moved while the database is down: served at once, kept on disk, and in the registry when it is back."""

import heapq
import json
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from xds.errors import Conflict, NotFound, RequestError
from xds.model import CellState, Tenancy, Topology
from xds.names import CellId, TenantId
from xds.publish.evacuation import Displacement, Evacuation, Led, Unsettled
from xds.snapshot import Content
from xds.translate import displaced, has_routes, takes_tenants, tenants_by_cell, tenants_in


class Emergency:
    """The moves that the registry does not know of yet. Without a `path` they last as long as the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._moves: dict[TenantId, Displacement] = {}
        self._evacuations: dict[CellId, Evacuation] = {}

    def load(self) -> None:
        """Take up what another process of this machine left; raises `OSError` or `ValueError` if it can't be read."""
        if self._path is not None and self._path.exists():
            held = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(held, list):  # as it was before evacuations were kept too
                held = {"moves": held, "evacuations": []}
            self._moves = {move.tenant: move for move in (Displacement(**fields) for fields in held["moves"])}
            self._evacuations = {each.cell: each for each in (Evacuation(**fields) for fields in held["evacuations"])}

    @property
    def unsettled(self) -> Unsettled:
        """All of them, by tenant and by cell."""
        return Unsettled(
            tuple(self._moves[tenant] for tenant in sorted(self._moves)),
            tuple(self._evacuations[cell] for cell in sorted(self._evacuations)),
        )

    def evacuate(
        self,
        content: Content,
        order: Evacuation,
        topology: Topology | None,
        *,
        limit: int | None = None,
        is_rehearsal: bool = False,
    ) -> Led:
        """Have whoever a content leads to a cell be led elsewhere, at most `limit` tenants; or say what would be.

        Raises `RequestError`, `NotFound`, `Conflict` and `OSError`; nothing is changed then.
        """
        if not has_routes(content, order.cell):
            raise NotFound(f"cell {order.cell}: no such cell in what is served")
        targets = self._cells(content, order, topology)
        everybody = tenants_in(content, order.cell)
        counts = tenants_by_cell(content) if len(targets) > 1 else {}
        went = _spread(everybody[:limit], {cell: counts.get(cell, 0) for cell in targets})
        if not is_rehearsal:
            self._displace(order, went)
        return Led(dict(sorted(Counter(went.values()).items())), len(everybody) - len(went))

    def _cells(self, content: Content, order: Evacuation, topology: Topology | None) -> list[CellId]:
        if order.to is None:
            like = [cell for cell in _like(topology, order.cell) if takes_tenants(content, cell)]
            if found := [cell for cell in like if cell not in self._evacuations]:
                return found
            raise Conflict(
                f"cell {order.cell}: no other active shared cell of its tier and region: name a cell to go to"
            )
        if order.to == order.cell:
            raise RequestError(f"cell {order.cell}: expected another cell to go to, got the same")
        if not takes_tenants(content, order.to):
            raise NotFound(f"cell {order.to}: no such cell in what is served, or it takes no traffic")
        return [order.to]

    def _displace(self, order: Evacuation, went: Mapping[TenantId, CellId]) -> None:
        first = {tenant: self._moves[tenant].was for tenant in went if tenant in self._moves}
        moves = self._moves | {
            tenant: Displacement(
                tenant=tenant, was=first.get(tenant, order.cell), now=cell, by=order.by, message=order.message
            )
            for tenant, cell in went.items()
        }
        # A cell that tenants are led to is not one to be left, whatever was said of it before.
        targets = set(went.values())
        evacuations = {cell: each for cell, each in self._evacuations.items() if cell not in targets}
        self._keep(moves, evacuations | {order.cell: order})

    def applied(self, content: Content) -> Content:
        """A content with these moves."""
        if not self._moves:
            return content
        return content.apply(displaced(content, self._targets(content)))

    def _targets(self, content: Content) -> Mapping[TenantId, CellId]:
        return {move.tenant: move.now for move in self._moves.values() if takes_tenants(content, move.now)}

    def settled(self, told: Unsettled) -> None:
        """The registry knows these now; what was said while it was told stays."""
        moves = set(told.moves)
        self._keep(
            {move.tenant: move for move in self._moves.values() if move not in moves},
            {each.cell: each for each in self._evacuations.values() if each not in told.evacuations},
        )

    def _keep(self, moves: dict[TenantId, Displacement], evacuations: dict[CellId, Evacuation]) -> None:
        if self._path is not None and not (moves or evacuations):
            self._path.unlink(missing_ok=True)
        elif self._path is not None:
            held = {
                "moves": [asdict(each) for each in moves.values()],
                "evacuations": [asdict(each) for each in evacuations.values()],
            }
            self._path.parent.mkdir(parents=True, exist_ok=True)
            written = self._path.with_suffix(".new")
            try:
                written.write_text(json.dumps(held), encoding="utf-8")
                written.replace(self._path)
            finally:
                with suppress(FileNotFoundError):
                    written.unlink()
        self._moves, self._evacuations = moves, evacuations


def _like(topology: Topology | None, cell_id: CellId) -> list[CellId]:
    """The active shared cells of a cell's tier and region, but for itself, as they were when they were read last."""
    if topology is None or cell_id not in topology.cells:
        raise Conflict(
            f"cell {cell_id}: this process has not read the registry and knows no tiers: name a cell to go to"
        )
    like = topology.cells[cell_id]
    return [
        cell.id
        for cell in topology.cells.values()
        if cell.id != cell_id
        and (cell.state, cell.tenancy) == (CellState.ACTIVE, Tenancy.SHARED)
        and (cell.tier, cell.region) == (like.tier, like.region)
    ]


def _spread(tenants: Collection[TenantId], counts: Mapping[CellId, int]) -> dict[TenantId, CellId]:
    """Each tenant's cell: the one with the fewest, with those before it. Equal contents are spread equally."""
    heap = [(count, cell) for cell, count in counts.items()]
    heapq.heapify(heap)
    went: dict[TenantId, CellId] = {}
    for tenant in tenants:
        count, went[tenant] = heap[0]
        heapq.heapreplace(heap, (count + 1, went[tenant]))
    return went
