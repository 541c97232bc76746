"""The oldest Envoy that is supported takes what the newest takes, and does the same with it.

Set-up installs it apart, beside the virtual environment's packages: both packages are called `envoy`.
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from tests.e2e.conftest import Variant
from tests.e2e.load import load
from tests.e2e.watching import execute, extra_cell, has_no_cluster, is_answered, statusz, until
from tests.golden.cases import CASES, translated
from tests.integration.translate.static import as_pushed, in_place
from tests.support.plans import planned
from xds.demo.envoy import packaged_binary
from xds.demo.following import follow
from xds.demo.ports import free_port
from xds.demo.stack import Stack

OLDER = Path(sys.prefix, "older-envoy", *packaged_binary().parts[-3:])
"""In the folder that the Makefile names, where the newest has it in its own; its package must not be imported."""

BINARIES = {"oldest": OLDER, "newest": packaged_binary()}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    async with Stack(await planned(variant=cast(Variant, request.param), envoy=OLDER)) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
async def test_the_oldest_envoy_plays_the_whole_story_and_rejects_nothing(stack: Stack) -> None:
    assert stack.envoy_version.startswith("1.36.")
    for edge in stack.clients:
        for tenant, cell in stack.placements.items():
            answer = await stack.get(edge, "/api/x", token=stack.idp.mint(tenant))
            assert (answer.status, answer.cell) == (200, cell)
            assert answer.saw("x-alphaswarm-tenant") == tenant
        spoofed = await stack.get(edge, "/api/x", headers={"x-alphaswarm-tenant": "acme"})
        assert spoofed.status == 401
        elsewhere = stack.idp.mint("acme", cell="cell-dedicated-ent-us")
        assert (await stack.get(edge, "/api/x", token=elsewhere)).status == 401
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("nobody"))).status == 403
        _, echoed = await stack.clients[edge].echo("/ws/x", "ping", token=stack.idp.mint("acme"))
        assert echoed == "ping"

    following = await follow(stack, "hooli", "cell-dedicated-ent-us")
    assert following.after_commit_ms.keys() == stack.clients.keys()
    assert following.failed == 0

    await a_cell_comes_and_goes(stack)

    await until(lambda: has_acknowledged_everything(stack), "every response of every type is acknowledged")
    assert "session.nacked" not in stack.control_plane.child.log.read_text()


async def has_acknowledged_everything(stack: Stack) -> bool:
    nodes = (await statusz(stack))["nodes"]
    kinds = [kind for node in nodes for kind in node["types"]]
    assert len(nodes) == len(stack.clients)
    assert {kind["type"] for kind in kinds} == {"cds", "eds", "lds", "rds", "srds", "ecds"}
    return all(kind["acked"] == kind["sent"] for kind in kinds)


async def a_cell_comes_and_goes(stack: Stack) -> None:
    """With a tenant in it, each time in one transaction, under traffic."""
    cell, home = "cell-shared-std-new", stack.placements["acme"]
    tokens = {"acme": stack.idp.mint("acme")}
    async with extra_cell(cell) as port, load(list(stack.ports.edges.values()), tokens) as seen:
        await execute(
            stack,
            f"INSERT INTO cells (id, state) VALUES ('{cell}', 'active')",
            f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{cell}', '127.0.0.1', {port})",
            f"UPDATE tenants SET cell_id = '{cell}' WHERE id = 'acme'",
        )
        await until(lambda: is_answered(stack, "acme", 200, cell), "acme is in the new cell")
        await execute(
            stack,
            f"UPDATE tenants SET cell_id = '{home}' WHERE id = 'acme'",
            f"DELETE FROM cells WHERE id = '{cell}'",
        )
        await until(lambda: has_no_cluster(stack, f"{cell}-api"), "the cell's cluster is gone")
    assert seen.failed == []
    assert seen.cells.keys() == {home, cell}


@pytest.mark.parametrize("envoy", BINARIES)
@pytest.mark.parametrize("case", CASES)
def test_rule_46_the_oldest_and_the_newest_envoy_accept_what_is_written(case: str, envoy: str, tmp_path: Path) -> None:
    translation = translated(case)
    pushed, placed = tmp_path / "pushed.pb", tmp_path / "placed.pb"
    pushed.write_bytes(as_pushed(translation, admin_port=free_port()))
    placed.write_bytes(in_place(translation, admin_port=free_port(), listen=free_port()))

    assert [fault_of(file, BINARIES[envoy]) for file in (pushed, placed)] == ["", ""]


def fault_of(file: Path, binary: Path) -> str:
    """What an Envoy has against a bootstrap; empty if nothing."""
    command = [str(binary), "--mode", "validate", "--log-level", "error", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return "" if done.returncode == 0 else done.stderr + done.stdout
