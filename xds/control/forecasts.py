"""What every Envoy would get if what was rehearsed were done."""

import asyncio
from dataclasses import asdict

from xds.control.operation import Parts, Rehearsal
from xds.control.shapes import Answer


class EachEnvoy(Answer):
    """What each Envoy of the edge would get, to a few bytes a resource.

    `tenants` are those whose requests would go elsewhere, or be answered otherwise.
    """

    tenants: int
    resources: int
    removed: int
    bytes: int


async def each_envoy(parts: Parts, rehearsal: Rehearsal) -> EachEnvoy:
    """What would come of what the rehearsal has seen done."""
    # In a thread: a large cell takes a while, and streams are to be served meanwhile.
    told = await asyncio.to_thread(parts.forecast, rehearsal.before, rehearsal.after)
    return EachEnvoy(**asdict(told))
