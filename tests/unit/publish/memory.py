"""A registry in memory, with a change log that can be pruned and faults that can be had on purpose.

Fulfils `xds.publish.source.Registry`; `test_source.py` holds it to what that promises.
"""

import asyncio
from collections.abc import Callable, Mapping

from tests.support.edge import ISSUER
from xds.errors import ChangesPruned, KeysUnavailable, RegistryError
from xds.model import Cell, Changes, Tenant, Topology
from xds.names import CellId, Revision, TenantId


class MemoryRegistry:
    """Cells and tenants, each commit one revision. Waits for nothing unless told to."""

    def __init__(self, *things: Cell | Tenant) -> None:
        self._cells: dict[CellId, Cell] = {}
        self._tenants: dict[TenantId, Tenant] = {}
        self._log: list[tuple[CellId | None, TenantId | None]] = []
        self._floor = 0
        self._wake: Callable[[], None] = lambda: None
        self.fault: RegistryError | None = None
        """What every read raises, for as long as it is set."""
        self.loads = 0
        self.reads = 0
        self.watched = asyncio.Event()
        self.reached = asyncio.Event()
        """Set by each read."""
        self.gate = asyncio.Event()
        """Reads wait for it."""
        self.gate.set()
        self._put(things)

    # What a registry is asked

    async def load(self) -> Topology:
        """Everything."""
        await self._reached()
        self.loads += 1
        return Topology(revision=self.revision, cells=dict(self._cells), tenants=dict(self._tenants))

    async def changes_since(self, revision: Revision) -> Changes:
        """What was committed after `revision`."""
        await self._reached()
        if not self._floor <= revision <= self.revision:
            raise ChangesPruned(f"{revision} is not in {self._floor} to {self.revision}")
        logged = self._log[revision:]
        return Changes(
            revision=self.revision,
            cells={cell: self._cells.get(cell) for cell, _ in logged if cell is not None},
            tenants={tenant: self._tenants.get(tenant) for _, tenant in logged if tenant is not None},
        )

    async def watch(self, wake: Callable[[], None]) -> None:
        """Wake for each commit, and once at the start."""
        self._wake = wake
        self.watched.set()
        wake()
        await asyncio.Event().wait()

    # What a test does

    @property
    def revision(self) -> Revision:
        """The newest."""
        return Revision(len(self._log))

    def commit(self, *things: Cell | Tenant, gone: tuple[Cell | Tenant, ...] = ()) -> None:
        """Put or remove cells and tenants, and wake whoever watches."""
        self._put(things)
        for each in gone:
            if isinstance(each, Cell):
                del self._cells[each.id]
                self._log.append((each.id, None))
            else:
                del self._tenants[each.id]
                self._log.append((None, each.id))
        self._wake()

    def wake(self) -> None:
        """Wake for nothing."""
        self._wake()

    def prune(self) -> None:
        """Forget the log."""
        self._floor = self.revision

    def restore(self, revision: int) -> None:
        """Have the same content at a lower revision, as a restored backup would."""
        del self._log[revision:]
        self._floor = min(self._floor, revision)

    def _put(self, things: tuple[Cell | Tenant, ...]) -> None:
        for each in things:
            if isinstance(each, Cell):
                self._cells[each.id] = each
                self._log.append((each.id, None))
            else:
                self._tenants[each.id] = each
                self._log.append((None, each.id))

    async def _reached(self) -> None:
        self.reads += 1
        self.reached.set()
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault


class MemoryKeys:
    """The keys of the test's one issuer, which may not be there yet. Fulfils `xds.publish.source.Keys`."""

    def __init__(self, jwks: str = "") -> None:
        self._jwks = jwks
        self._wake: Callable[[], None] = lambda: None

    def jwks(self) -> Mapping[str, str]:
        """The newest."""
        if not self._jwks:
            raise KeysUnavailable(f"issuer {ISSUER}: no keys yet: not fetched yet")
        return {ISSUER: self._jwks}

    async def watch(self, wake: Callable[[], None]) -> None:
        """Wake whenever they are changed."""
        self._wake = wake
        await asyncio.Event().wait()

    def change(self, jwks: str) -> None:
        """Have these."""
        self._jwks = jwks
        self._wake()
