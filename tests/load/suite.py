"""Playing scenarios one after the other, each on a system of its own.

Knows nothing about how it looks, nor how a system is made.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

import asyncpg
from aiohttp import ClientError

from tests.load.play import Play, Wishes
from tests.load.results import Outcome
from tests.load.scenarios import Scenario
from tests.load.system import Needs, System
from xds.errors import LocalFailure

Opening: TypeAlias = Callable[[Needs], AbstractAsyncContextManager[System]]


class View(Protocol):
    """Who is told how it goes."""

    def began(self, scenario: Scenario) -> None:
        """Its system is being started."""
        ...

    def look(self, line: str) -> None:
        """How the scenario that is played stands."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """It is over."""
        ...


async def play_all(scenarios: Sequence[Scenario], opening: Opening, wishes: Wishes, view: View) -> list[Outcome]:
    """What each came to."""
    outcomes = []
    for scenario in scenarios:
        view.began(scenario)
        outcome = await play(scenario, opening, wishes, view.look)
        view.ended(outcome)
        outcomes.append(outcome)
    return outcomes


async def play(scenario: Scenario, opening: Opening, wishes: Wishes, look: Callable[[str], None]) -> Outcome:
    """Play one; that the system can't be started, or ends, is told in its outcome."""
    outcome = Outcome(name=scenario.name, title=scenario.title, passes=scenario.passes)
    began = time.perf_counter()
    look("starting the system")
    try:
        async with opening(scenario.needs(wishes)) as system, Play(system, wishes, outcome, look) as playing:
            await scenario.play(playing)
            look("stopping the system")
    except* (LocalFailure, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ClientError) as faults:
        outcome.fault = "; ".join(str(each) or type(each).__name__ for each in _leaves(faults))
    outcome.seconds = time.perf_counter() - began
    return outcome


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found
