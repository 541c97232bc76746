"""What can be asked while the database is down. Nothing here may read the registry."""

from pydantic import Field

from xds.control.operation import Parts
from xds.control.shapes import Answer, Id, Message, Request
from xds.names import CellId
from xds.operations import Author


class EvacuateNow(Request):
    """Another cell for everybody whom this process leads to `from`."""

    origin: Id = Field(alias="from")
    to: Id
    message: Message = ""


class Evacuated(Answer):
    """How many tenants this process leads elsewhere now."""

    was: str
    now: str
    tenants: int


async def evacuate_now(parts: Parts, request: EvacuateNow, by: str) -> Evacuated:
    """Lead a cell's tenants to another cell at once; of this process alone, until the registry is back and knows."""
    # What the audit trail would refuse when the registry is back is refused now.
    Author(by, f"emergency: {request.message}")
    tenants = await parts.evacuate(CellId(request.origin), CellId(request.to), by=by, message=request.message)
    return Evacuated(was=request.origin, now=request.to, tenants=tenants)
