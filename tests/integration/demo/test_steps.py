"""The story's steps tell a system that works from one that does not."""

from typing import Protocol

import pytest

from xds.demo.checks import Step
from xds.demo.stack import Stack
from xds.demo.steps import STORY, tell


class Edge(Protocol):
    faults: set[str]


class System(Protocol):
    clients: dict[str, Edge]

    @property
    def stack(self) -> Stack: ...


async def told(system: System) -> dict[str, Step]:
    return {step.id: step async for step in tell(system.stack)}


async def test_every_step_holds_where_everything_works_and_asks_every_envoy(system: System) -> None:
    steps = await told(system)
    assert list(steps) == list(STORY)
    assert {name for name, step in steps.items() if not step.ok} == set()
    for step in steps.values():
        asked = "\n".join(check.asked for check in step.checks)
        assert all(f"{edge}: " in asked for edge in system.clients)


async def test_the_move_is_measured_on_every_envoy(system: System) -> None:
    measured = (await told(system))["move"].measured
    assert {name: value > 0 for name, value in measured.items()} == {
        "edge-a_after_commit_ms": True,
        "edge-b_after_commit_ms": True,
        "edge-a_after_sending_ms": True,
        "edge-b_after_sending_ms": True,
    }


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        ("believes", {"spoofed"}),
        ("believes forgers", {"arrives", "bad-token", "unknown-tenant", "bound-elsewhere"}),
        ("lets through", {"unknown-tenant"}),
        ("talks plainly", {"unknown-tenant"}),
        ("mute", {"websocket"}),
        ("ignores cells", {"bound-elsewhere"}),
        ("stutters", {"move"}),
        ("silent", set(STORY)),
    ],
)
async def test_one_envoy_that_misbehaves_fails_its_steps_and_no_other(
    system: System, fault: str, failing: set[str]
) -> None:
    system.clients["edge-b"].faults.add(fault)
    assert {name for name, step in (await told(system)).items() if not step.ok} == failing
