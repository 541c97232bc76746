"""Writing down what was moved while the database was down. Knows no SQL."""

from collections.abc import Sequence
from itertools import groupby

from xds.operations.auditing import Author
from xds.operations.store import Store
from xds.publish.emergency import Displacement


async def record_displacements(store: Store, moves: Sequence[Displacement]) -> tuple[Displacement, ...]:
    """Move the tenants in the registry too, each person's in one transaction, and return those that were moved.

    A tenant that is no longer where it was then was moved by somebody who knew more; one whose target is gone stays.
    """
    ordered = sorted(moves, key=_said)
    return tuple([done for _, group in groupby(ordered, _said) for done in await _record(store, tuple(group))])


def _said(move: Displacement) -> tuple[str, str]:
    return move.by, move.message


async def _record(store: Store, moves: tuple[Displacement, ...]) -> tuple[Displacement, ...]:
    by = Author(actor=moves[0].by, message=f"emergency: {moves[0].message}".removesuffix(": "))
    async with store.transaction(by, "evacuate (database was down)") as transaction:
        targets = await transaction.cells(sorted({move.now for move in moves}))
        held = await transaction.tenants(sorted(move.tenant for move in moves))
        still = tuple(
            move for move in moves if move.tenant in held and held[move.tenant].cell == move.was and move.now in targets
        )
        if still:
            await transaction.move_tenants({move.tenant: move.now for move in still})
    return still
