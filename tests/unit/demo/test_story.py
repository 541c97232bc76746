"""What the demo reports, and the lines that it gives to copy."""

import io
import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Self, cast

import pytest
from rich.console import Console

from xds.demo import story
from xds.demo.checks import Check, Step
from xds.demo.client import EdgeClient
from xds.demo.idp import IdentityProvider
from xds.demo.plan import Plan
from xds.demo.seed import place, tenant_names
from xds.demo.stack import Stack
from xds.demo.story import Demo, Report, guide
from xds.demo.terminal import Terminal

GOOD = Step(id="a", title="A", checks=(Check(asked="x", came="y", ok=True),))
BAD = Step(id="b", title="B", checks=(Check(asked="x", came="y", ok=False),))


@pytest.mark.parametrize(("steps", "ok"), [((GOOD,), True), ((GOOD, BAD), False), ((), False)])
def test_a_report_is_good_if_every_step_is_and_there_is_one(steps: tuple[Step, ...], *, ok: bool) -> None:
    assert Report(steps=steps, seconds={}).ok is ok


def test_a_report_is_one_json_object() -> None:
    report = json.loads(Report(steps=(GOOD, BAD), seconds={"it": 1.23456}).to_json())
    assert (report["ok"], [step["id"] for step in report["steps"]]) == (False, ["a", "b"])
    assert report["started_in_seconds"] == {"it": 1.235}


def lines_to_copy(**placements: str) -> list[str]:
    plan = Plan()
    stack = SimpleNamespace(
        plan=plan,
        idp=IdentityProvider(),
        placements={**place(tenant_names(24), plan.cells), **placements},
        control_plane=SimpleNamespace(url="http://127.0.0.1:1"),
        envoys={"edge-a": SimpleNamespace(admin="http://127.0.0.1:2")},
        clients={"edge-a": EdgeClient(3)},
        postgres=SimpleNamespace(psql=Path("/a b/psql"), dsn="postgresql://postgres@/postgres?host=/x&port=5432"),
        folder=Path("/logs"),
    )
    return guide(cast("Stack", stack))


def test_each_line_to_copy_is_one_that_a_shell_understands() -> None:
    commands = [shlex.split(line) for line in lines_to_copy() if line.startswith(("  curl", "  TOKEN", "  '/a b"))]
    assert len(commands) == 6
    (psql,) = [command for command in commands if command[0] == "/a b/psql"]
    assert psql[1:] == [
        "postgresql://postgres@/postgres?host=/x&port=5432",
        "-c",
        "UPDATE tenants SET cell_id = 'cell-shared-std-eu' WHERE id = 'acme'",
    ]


def test_the_move_to_copy_is_one_that_changes_something() -> None:
    (update,) = [line for line in lines_to_copy(acme="cell-shared-std-eu") if "UPDATE" in line]
    assert "'cell-shared-std-local'" in update


async def test_a_stack_that_does_not_start_leaves_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Stack):
        async def __aenter__(self) -> Self:
            raise ValueError("no")

    monkeypatch.setattr(story, "Stack", Failing)
    demo = Demo(Plan(), Terminal(Console(file=io.StringIO())))
    with pytest.raises(ValueError, match="no"):
        await demo.run(stay=False)
    assert demo.report is None
