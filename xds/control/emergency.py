"""What can be asked while the database is down. Nothing here may read the registry."""

from typing import Annotated

from pydantic import Field

from xds.control.operation import Parts
from xds.control.shapes import Answer, Id, Message, Request
from xds.names import CellId
from xds.operations import Author
from xds.publish.evacuation import Evacuation


class EvacuateNow(Request):
    """Another cell for those whom this process leads to `from`: all, or at most `limit`.

    Without `to`, each goes to the active shared cell of the same tier and region with the fewest tenants. With
    `dry_run` it is only told what would be done.
    """

    origin: Id = Field(alias="from")
    to: Id | None = None
    limit: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = None
    dry_run: Annotated[bool, Field(strict=True)] = False
    message: Message = ""


class Evacuated(Answer):
    """How many tenants this process leads elsewhere now, and to which cells; `left` are those it still leads there."""

    was: str
    tenants: int
    to: dict[str, int]
    left: int


async def evacuate_now(parts: Parts, request: EvacuateNow, by: str) -> Evacuated:
    """Lead a cell's tenants elsewhere at once; of this process alone, until the registry is back and knows."""
    # What the audit trail would refuse when the registry is back is refused now.
    Author(by, f"emergency: {request.message}")
    to = None if request.to is None else CellId(request.to)
    order = Evacuation(cell=CellId(request.origin), to=to, by=by, message=request.message)
    led = await parts.evacuate(order, limit=request.limit, is_rehearsal=request.dry_run)
    return Evacuated(
        was=request.origin,
        tenants=sum(led.to.values()),
        to=dict(led.to.items()),
        left=led.left,
    )
