"""Where snapshots are kept, and by which rules one is made. Plain values."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from xds.publish.emergency import Emergency
from xds.publish.evacuation import Settled, Unsettled
from xds.publish.guard import Guard
from xds.publish.history import History, Unrecorded
from xds.publish.rolling import RolloutPlan
from xds.publish.shelf import Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Where snapshots are kept, what may become one, and the name under which this process makes them."""

    history: History = field(default_factory=Unrecorded)
    shelf: Shelf | None = None
    guard: Guard = field(default_factory=Guard)
    plan: RolloutPlan = field(default_factory=RolloutPlan)
    emergency: Emergency = field(default_factory=lambda: Emergency(None))
    settle: Callable[[Unsettled], Awaitable[Settled]] | None = None
    """Writes to the registry what was moved while it was down."""

    replica: str = ""
