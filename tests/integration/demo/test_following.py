"""What is measured when a tenant moves."""

from typing import Protocol

import pytest

from xds.demo.following import follow
from xds.demo.seed import CELLS
from xds.demo.stack import Stack


class Edge(Protocol):
    faults: set[str]
    requests: int


class System(Protocol):
    clients: dict[str, Edge]
    delay: float

    @property
    def stack(self) -> Stack: ...


async def test_the_time_is_that_from_commit_to_the_new_cells_first_answer(system: System) -> None:
    system.delay = 0.05
    followed = await follow(system.stack, "acme", CELLS[1])
    assert set(followed.after_commit_ms) == {"edge-a", "edge-b"}
    for edge, late in followed.after_commit_ms.items():
        assert 45 < late <= followed.after_sending_ms[edge] < 2000
    assert followed.failed == 0
    assert followed.requests == sum(edge.requests for edge in system.clients.values()) > 10


async def test_an_envoy_that_does_not_follow_in_time_is_missing(system: System) -> None:
    system.clients["edge-b"].faults.add("is stuck")
    followed = await follow(system.stack, "acme", CELLS[1], timeout=0.4)
    assert set(followed.after_commit_ms) == {"edge-a"}


async def test_requests_that_fail_meanwhile_are_counted(system: System) -> None:
    system.clients["edge-b"].faults.add("silent")
    followed = await follow(system.stack, "acme", CELLS[1], timeout=0.4)
    assert followed.failed > 1


async def test_a_move_that_fails_comes_out_as_it_is(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: str) -> None:
        raise ValueError("as it is")

    monkeypatch.setattr(system, "move", refuse)
    with pytest.raises(ValueError, match="as it is"):
        await follow(system.stack, "acme", CELLS[1], timeout=0.4)
