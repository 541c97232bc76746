"""What a client asked for, of one type: names, and in which of three ways a wildcard.

xDS protocol, "How the client specifies what resources to return". Immutable; knows nothing about what exists.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, auto

from xds.names import ResourceName, TypeUrl

STAR = "*"

LEGACY_WILDCARD_TYPES = frozenset({TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.SCOPE})
"""For these a first request that names nothing asks for everything; for the rest it asks for nothing."""


class Wildcard(Enum):
    """Whether all resources are asked for, and how that was said."""

    NONE = auto()
    LEGACY = auto()
    EXPLICIT = auto()


@dataclass(frozen=True, slots=True)
class Subscription:
    """The names and the wildcard in force. `named` tells whether any request of the type ever named one."""

    names: frozenset[ResourceName] = frozenset()
    wildcard: Wildcard = Wildcard.NONE
    named: bool = False

    @property
    def is_wildcard(self) -> bool:
        """Whether everything is asked for."""
        return self.wildcard is not Wildcard.NONE

    @property
    def count(self) -> int | None:
        """How many names are asked for; None for all."""
        return None if self.is_wildcard else len(self.names)

    def covers(self, name: ResourceName) -> bool:
        """Whether that name is asked for."""
        return self.wildcard is not Wildcard.NONE or name in self.names

    def covers_all(self, names: Collection[ResourceName]) -> bool:
        """Whether all of these names are asked for."""
        return self.is_wildcard or (len(names) <= len(self.names) and self.names.issuperset(names))


def after_delta(
    held: Subscription | None, type_url: str, subscribe: tuple[str, ...], unsubscribe: tuple[str, ...]
) -> Subscription:
    """The subscription after a delta request; `held` is None before the first.

    A name in both lists ends up unsubscribed: subscribe is read first. A legacy wildcard outlives later
    names, and ends by unsubscribing from `*`, as an explicit one does.
    """
    if held is None:
        legacy = not subscribe and type_url in LEGACY_WILDCARD_TYPES
        held = Subscription(wildcard=Wildcard.LEGACY if legacy else Wildcard.NONE)
    if not subscribe and not unsubscribe:
        return held
    wildcard = held.wildcard
    if STAR in subscribe:
        wildcard = Wildcard.EXPLICIT
    if STAR in unsubscribe:
        wildcard = Wildcard.NONE
    names = held.names | _named(subscribe)
    return Subscription(names - _named(unsubscribe), wildcard, named=True)


def after_sotw(held: Subscription | None, type_url: str, names: tuple[str, ...]) -> Subscription:
    """The subscription after a state-of-the-world request, whose names are the full set each time.

    Naming nothing asks for everything only while no request of the type ever named anything.
    """
    held = held or Subscription()
    if not names and not held.named:
        legacy = type_url in LEGACY_WILDCARD_TYPES
        return replace(held, wildcard=Wildcard.LEGACY if legacy else Wildcard.NONE)
    wildcard = Wildcard.EXPLICIT if STAR in names else Wildcard.NONE
    return Subscription(_named(names), wildcard, named=True)


def _named(names: tuple[str, ...]) -> frozenset[ResourceName]:
    return frozenset(ResourceName(name) for name in names if name != STAR)
