"""The system under load, as the scenarios see it: the same questions, whatever it runs on.

Knows nothing about processes or containers; `local` and `compose` do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import asyncpg

SESSION = "t1r3d-0f-b3ing-asked"
"""A session token that is no JWT: of the tenant acme, where tenants are resolved by a callout."""

LEGACY = "legacy"
"""How the legacy proxy names itself, where a cell would."""

ROLLOUTS_AT_ONCE = {"ROLLOUT_WAVES": "all", "ROLLOUT_SOAK_SECONDS": "0", "ROLLOUT_DELAY_SECONDS": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a scenario has the system made of.

    Attributes:
        settings: Of the control plane, besides those that the system needs.
        envoys: How many there are, or may join.
        tenants: How many.
        replicas: Of the control plane; all Envoys can reach each.
        joining: Whether only the first Envoy is there at the start.
        static: Whether there is an Envoy with one route and nothing else.
        callout: Whether `SESSION` is resolved by a callout.
        legacy: Whether there is a legacy proxy.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    envoys: int = 2
    tenants: int = 200
    replicas: int = 1
    joining: bool = False
    static: bool = False
    callout: bool = False
    legacy: bool = False


class System(Protocol):
    """A running one."""

    @property
    def edges(self) -> Mapping[str, str]:
        """Every Envoy's URL, as this process reaches it."""
        ...

    @property
    def targets(self) -> Mapping[str, str]:
        """The same, as the generator does."""
        ...

    @property
    def static(self) -> str:
        """The URL, for the generator, of the Envoy with one route; empty if there is none."""
        ...

    @property
    def cells(self) -> Sequence[str]:
        """Their ids."""
        ...

    @property
    def placements(self) -> dict[str, str]:
        """Each tenant's cell, as far as this process has moved them."""
        ...

    @property
    def generator(self) -> Sequence[str]:
        """The command that runs `tests.load.driver`."""
        ...

    async def tokens(self, tenants: Sequence[str]) -> dict[str, str]:
        """A token for each."""
        ...

    async def connect(self) -> asyncpg.Connection:
        """A connection to the registry, as an operator would have one."""
        ...

    async def command(self, *arguments: str) -> str:
        """What `alphaswarm-xds` prints with these; raises `LocalFailure` if it fails."""
        ...

    async def join(self, edge: str) -> None:
        """Start an Envoy that is not there yet, and wait until it is ready."""
        ...

    async def kill_replicas(self, number: int) -> None:
        """Kill the last `number` replicas of the control plane."""
        ...

    async def start_replicas(self) -> None:
        """Start those that are killed, and wait until they are ready."""
        ...

    async def kill_database(self) -> None:
        """Kill it."""
        ...

    async def start_database(self) -> None:
        """Start it again on its data, and wait until it answers."""
        ...

    async def restart(self, **settings: str) -> None:
        """Restart the control plane with other settings, in order, and wait until it is ready."""
        ...

    def lights(self) -> tuple[str, str]:
        """Where light clients of ADS connect, and as which node group."""
        ...


def session_file(folder: Path, content: str) -> Path:
    """The file of session tokens, readable by whoever the control plane runs as."""
    path = folder / "sessions.json"
    path.write_text(content)
    path.chmod(0o644)
    return path
