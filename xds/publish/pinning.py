"""What is in force whatever is held: the snapshot that is pinned, or else the newest; with today's keys."""

from dataclasses import replace

from xds.publish.deciding import Draft, redraft
from xds.publish.history import History, Kind, Recorded
from xds.publish.lanes import without_lanes
from xds.publish.live import with_live_keys
from xds.publish.policy import Policy
from xds.publish.structures import Structures
from xds.snapshot import Content


class Pinning:
    """Fetches the snapshot that is pinned, once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._pinned: Recorded | None = None

    async def current(self, base: Recorded, policy: Policy, structures: Structures) -> Draft:
        """What is in force beside what is wanted; `base` is the newest snapshot. Raises `RegistryError`."""
        if policy.pinned is None:
            self._pinned = None
            return redraft(base.entry, structures.live(base))
        if policy.pinned == base.entry.number:
            return _rolled_back(base, structures.live(base), policy)
        if self._pinned is None or self._pinned.entry.number != policy.pinned:
            found = await self._history.content(policy.pinned)
            # The lane of a rollout that ran then would be given to whoever the newest rollout has reached.
            self._pinned = replace(found, content=without_lanes(found.content))
        return _rolled_back(self._pinned, with_live_keys(self._pinned, structures.desired.auth), policy)


def _rolled_back(to: Recorded, content: Content, policy: Policy) -> Draft:
    return redraft(to.entry, content, kind=Kind.ROLLBACK, by=policy.by, message=policy.message)
