"""What the publisher needs of a registry.

Owned here, by its consumer; `xds.registry` fulfils it, and any other source may.
"""

from collections.abc import Callable
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
