"""The state of the parts that can be behind: the registry's connection, issuers' keys, and what is published.

Plain values. Knows nothing about how they are come by, nor how they are shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryStatus:
    """Whether the registry can be reached, in which case `error` is empty, and since when that is so.

    `since` is in seconds since the epoch.
    """

    connected: bool
    error: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerStatus:
    """An issuer's keys: how many it has now, and how many it withdrew that are still accepted.

    `fetched_at`, in seconds since the epoch, is when they came last; `error` is why they did not since, or empty.
    """

    issuer: str
    keys: int
    retiring: int
    fetched_at: float | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishStatus:
    """The snapshot in force; `published_at`, in seconds since the epoch, is None until there is one.

    `cells` counts by state and `resources` by label (cds, eds …). `problems` has a line for each row that
    was left out; `error` is why the latest publish failed, empty if it did not. `mode` is one word for what operators
    have decided (auto, manual, frozen, pinned), and `held` is why there is more than is published. `leads`: this
    process is the one that records. `is_ahead`: it serves what could not be recorded yet.
    """

    revision: int = 0
    snapshot: int = 0
    published_at: float | None = None
    cells: Mapping[str, int] = field(default_factory=dict)
    tenants: int = 0
    resources: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    error: str = ""
    mode: str = "auto"
    held: str = ""
    leads: bool = False
    is_ahead: bool = False
