"""What should be published by the structure that is in force and, while one is rolled out, by the new one.

Knows nothing about who is served which.
"""

from dataclasses import replace

from xds.errors import KeysError
from xds.publish.deciding import in_force
from xds.publish.desired import Desired, cells_content
from xds.publish.history import Recorded
from xds.publish.live import keys_in, with_live_keys, with_live_lanes
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.source import Keys, Registry
from xds.publish.structure import options_of, structure_of
from xds.snapshot import Content
from xds.telemetry import get_logger
from xds.translate import EdgeOptions


class Structures:
    """Follows the registry by one structure, or by two."""

    def __init__(self, registry: Registry, keys: Keys, options: EdgeOptions) -> None:
        self._registry = registry
        self._keys = keys
        self._options = options
        self._log = get_logger()
        self.own = structure_of(options)
        """That of this process' settings."""

        self.desired = Desired(registry, keys, options)
        """By the structure in force."""

        self.next: Desired | None = None
        """By the one that is being rolled out; None if none is."""

    @property
    def followed(self) -> tuple[Desired, ...]:
        """Both, or the one that there is."""
        return (self.desired,) if self.next is None else (self.desired, self.next)

    def aim(self, recorded: Recorded | None, rollout: Rollout | None) -> bool:
        """Take up which structures there are now; whether one is new, and has to read the registry first."""
        stable = in_force(recorded, rollout) if recorded is not None else self.own
        running = rollout if rollout is not None and rollout.state is RolloutState.RUNNING else None
        before = self.followed
        desired = self._by(stable, before, recorded)
        self.next = None if running is None else self._by(running.structure, before, recorded)
        self.desired = desired
        return any(each not in before for each in self.followed)

    def live(self, recorded: Recorded) -> Content:
        """A snapshot's content with today's keys, in its lanes too."""
        lane = self.next or self.desired
        return with_live_lanes(with_live_keys(recorded, self.desired.auth), lane.structure, lane.auth)

    def own_content(self) -> Content | None:
        """What this process' settings would make of the cells; None if that can't be said now."""
        followed = self.desired.translation
        try:
            auth = self._options.auth.with_keys(self._keys.jwks())
        except KeysError:
            return None
        return cells_content(followed.topology, replace(self._options, auth=auth)) if followed is not None else None

    def _by(self, structure: str, known: tuple[Desired, ...], recorded: Recorded | None) -> Desired:
        options = self._read(structure, recorded)
        made = structure_of(options)  # an older version's text may have the same meaning
        held = next((each for each in known if each.structure == made), None)
        return held if held is not None else Desired(self._registry, self._keys, options)

    def _read(self, structure: str, recorded: Recorded | None) -> EdgeOptions:
        options = options_of(structure)
        if options is None:
            self._log.error("structure.unreadable", text="another version made it; this process' settings are used")
            return self._options
        # Keys of issuers that the settings no longer know are those that are served.
        keys = keys_in(recorded.content) if recorded is not None else {}
        keys |= {each.issuer: each.jwks for each in self._options.auth.issuers if each.jwks}
        return replace(options, auth=options.auth.with_keys(keys))
