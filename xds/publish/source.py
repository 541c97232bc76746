"""What the publisher needs of a registry, and of whoever knows the issuers' keys.

Owned here, by its consumer; `xds.registry` and `xds.tokens` fulfil it, and any other source may.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from xds.model import Changes, Topology
from xds.names import Revision


class Registry(Protocol):
    """A source of topologies. Both reads raise `RegistryUnavailable` when it cannot be reached."""

    async def load(self) -> Topology:
        """Everything, at one revision."""
        ...

    async def changes_since(self, revision: Revision) -> Changes:
        """What became of all that was committed after `revision`, in commit order, read at one instant."""
        ...

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something may have been committed; runs until cancelled.

        A wake-up is a hint: it may come for nothing. After a lost connection is made again `wake` is
        called too, since notifications may have been missed.
        """
        ...


class Keys(Protocol):
    """The keys that tokens are checked with."""

    def jwks(self) -> Mapping[str, str]:
        """Each issuer's JWKS, the last good one; raises `KeysUnavailable` as long as one has none."""
        ...

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever they may have changed; runs until cancelled."""
        ...


class NoKeys:
    """No keys that could change: every issuer's are among the options."""

    def jwks(self) -> Mapping[str, str]:
        """None."""
        return {}

    async def watch(self, wake: Callable[[], None]) -> None:
        """Never calls `wake`."""
