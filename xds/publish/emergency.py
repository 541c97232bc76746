"""Tenants moved while the database is down: served at once, kept on disk, and in the registry when it is back."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from xds.errors import Conflict, NotFound, RequestError
from xds.names import CellId, TenantId
from xds.snapshot import Content
from xds.translate import displaced, takes_tenants, tenants_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """One tenant's move: from where, to where, by whose word and why."""

    tenant: TenantId
    was: CellId
    now: CellId
    by: str
    message: str = ""


class Emergency:
    """The moves that the registry does not know of yet. Without a `path` they last as long as the process."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._moves: dict[TenantId, Displacement] = {}

    def load(self) -> None:
        """Take up what another process of this machine left; raises `OSError` or `ValueError` if it can't be read."""
        if self._path is not None and self._path.exists():
            held = (Displacement(**fields) for fields in json.loads(self._path.read_text(encoding="utf-8")))
            self._moves = {move.tenant: move for move in held}

    @property
    def moves(self) -> tuple[Displacement, ...]:
        """All of them, by tenant."""
        return tuple(self._moves[tenant] for tenant in sorted(self._moves))

    def evacuate(self, content: Content, was: CellId, now: CellId, *, by: str, message: str = "") -> int:
        """Have whoever a content leads to one cell be led to another; how many tenants that is.

        Raises `RequestError`, `NotFound`, `Conflict` and `OSError`; nothing is changed then.
        """
        if was == now:
            raise RequestError(f"cell {was}: expected another cell to go to, got the same")
        if not takes_tenants(content, now):
            raise NotFound(f"cell {now}: no such cell in what is served, or it takes no traffic")
        tenants = tenants_in(content, was)
        if not tenants:
            raise Conflict(f"cell {was}: what is served leads no tenant there")
        first = {tenant: self._moves[tenant].was for tenant in tenants if tenant in self._moves}
        moves = self._moves | {
            tenant: Displacement(tenant=tenant, was=first.get(tenant, was), now=now, by=by, message=message)
            for tenant in tenants
        }
        self._keep(moves)
        self._moves = moves
        return len(tenants)

    def applied(self, content: Content) -> Content:
        """A content with these moves."""
        if not self._moves:
            return content
        return content.apply(displaced(content, self._targets(content)))

    def _targets(self, content: Content) -> Mapping[TenantId, CellId]:
        return {move.tenant: move.now for move in self._moves.values() if takes_tenants(content, move.now)}

    def settled(self) -> None:
        """The registry knows them now."""
        self._moves = {}
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _keep(self, moves: Mapping[TenantId, Displacement]) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        try:
            written.write_text(json.dumps([asdict(move) for move in moves.values()]), encoding="utf-8")
            written.replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                written.unlink()
