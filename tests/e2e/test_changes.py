"""Changes of the registry, made by plain SQL, as requests through real Envoys see them."""

import json

import pytest

from tests.e2e.watching import execute, extra_cell, is_answered, statusz, traffic, until
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_thousand_moves_in_one_transaction_are_one_push(stack: Stack) -> None:
    await execute(
        stack,
        "INSERT INTO tenants (id, cell_id) SELECT 'many-' || n, 'cell-shared-std-eu' FROM generate_series(1, 1000) n",
    )
    await until(lambda: is_answered(stack, "many-1000", 200, "cell-shared-std-eu"), "the new tenants are known")
    before = await statusz(stack)
    await execute(stack, "UPDATE tenants SET cell_id = 'cell-shared-std-local' WHERE id LIKE 'many-%'")
    await until(lambda: is_answered(stack, "many-1", 200, "cell-shared-std-local"), "the tenants are moved")
    after = await statusz(stack)
    assert after["snapshot"]["number"] == before["snapshot"]["number"] + 1
    assert sent(after, "srds") == [count + 1 for count in sent(before, "srds")]
    for other in ("cds", "eds", "lds", "rds"):
        assert sent(after, other) == sent(before, other)
    assert await is_answered(stack, "many-1000", 200, "cell-shared-std-local")


async def test_a_new_cell_and_a_tenant_moved_to_it_at_once_fail_no_request(stack: Stack) -> None:
    async with extra_cell("cell-shared-std-new") as port, traffic(stack, "acme") as seen:
        await execute(
            stack,
            "INSERT INTO cells (id, state) VALUES ('cell-shared-std-new', 'active')",
            f"INSERT INTO endpoints (cell_id, address, port) VALUES ('cell-shared-std-new', '127.0.0.1', {port})",
            "UPDATE tenants SET cell_id = 'cell-shared-std-new' WHERE id = 'acme'",
        )
        await until(lambda: is_answered(stack, "acme", 200, "cell-shared-std-new"), "acme is in the new cell")
        await execute(
            stack,
            "UPDATE tenants SET cell_id = 'cell-shared-std-local' WHERE id = 'acme'",
            "DELETE FROM endpoints WHERE cell_id = 'cell-shared-std-new'",
            "DELETE FROM cells WHERE id = 'cell-shared-std-new'",
        )
        await until(lambda: is_answered(stack, "acme", 200, "cell-shared-std-local"), "acme is back")
        await until(lambda: has_no_cluster(stack, "cell-shared-std-new-api"), "the cell's cluster is gone")
    assert seen.failed == []
    assert seen.cells == {"cell-shared-std-local", "cell-shared-std-new"}


async def test_a_cells_state_decides_about_its_traffic(stack: Stack) -> None:
    cell, tenant = "cell-dedicated-ent-us", stack.tenants_of("cell-dedicated-ent-us")[0]
    for state, status in (
        ("draining", 200),
        ("cordoned", 200),
        ("provisioning", 503),
        ("active", 200),
        ("retired", 503),
        ("active", 200),
    ):
        await execute(stack, f"UPDATE cells SET state = '{state}' WHERE id = '{cell}'")
        await until(
            lambda: is_answered(stack, tenant, status, cell if status == 200 else ""),  # noqa: B023 -- awaited here
            f"{tenant} gets {status} from a {state} cell",
        )
        await until(lambda: is_counted(stack, cell, state), f"{cell} is shown as {state}")  # noqa: B023 -- as above


async def test_a_suspended_tenant_is_refused_and_let_in_again(stack: Stack) -> None:
    await execute(stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'globex'")
    await until(lambda: is_answered(stack, "globex", 403), "globex is refused")
    answer = await stack.get("edge-a", "/api/x", token=stack.idp.mint("globex"))
    assert answer.body["error"] == "the tenant is suspended"
    await execute(stack, "UPDATE tenants SET state = 'active' WHERE id = 'globex'")
    await until(lambda: is_answered(stack, "globex", 200, stack.placements["globex"]), "globex is let in again")


async def test_an_endpoint_is_exchanged_under_traffic(stack: Stack) -> None:
    cell, tenant = "cell-shared-std-eu", stack.tenants_of("cell-shared-std-eu")[0]
    async with extra_cell("the-other-process") as port, traffic(stack, tenant) as seen:
        await execute(
            stack,
            f"INSERT INTO endpoints (cell_id, address, port, zone) VALUES ('{cell}', '127.0.0.1', {port}, 'eu-b')",
            f"DELETE FROM endpoints WHERE cell_id = '{cell}' AND port = {stack.ports.cells[cell]}",
        )
        await until(lambda: is_answered(stack, tenant, 200, "the-other-process"), "the new endpoint answers")
        await execute(
            stack,
            "INSERT INTO endpoints (cell_id, address, port, zone)"
            f" VALUES ('{cell}', '127.0.0.1', {stack.ports.cells[cell]}, 'eu-a')",
            f"DELETE FROM endpoints WHERE cell_id = '{cell}' AND port = {port}",
        )
        await until(lambda: is_answered(stack, tenant, 200, cell), "the old endpoint answers again")
    assert seen.failed == []


async def test_a_row_that_cannot_be_translated_is_left_out_alone_and_loudly(stack: Stack) -> None:
    cell = "cell-shared-std-eu"
    await execute(
        stack,
        f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{cell}', '999.1.1.1', 80)",
        "INSERT INTO tenants (id, cell_id) VALUES ('late', 'cell-shared-std-eu')",
    )
    await until(lambda: is_answered(stack, "late", 200, cell), "the rest is pushed")
    problems = (await statusz(stack))["snapshot"]["problems"]
    assert any("999.1.1.1" in problem for problem in problems)
    assert "translation.left_out" in stack.control_plane.child.log.read_text()
    await execute(stack, "DELETE FROM endpoints WHERE address = '999.1.1.1'")

    async def is_sound() -> bool:
        return bool((await statusz(stack))["snapshot"]["problems"] == [])

    await until(is_sound, "no problem is left")


async def is_counted(stack: Stack, cell: str, state: str) -> bool:
    """Whether /statusz and /manage/cells show the cell in that state. The request's answer may be no sign of it."""
    shown = await statusz(stack)
    listed = json.loads((await stack.control_plane.ask("/manage/cells"))[1])["data"]
    return shown["snapshot"]["cells"][state] >= 1 and (cell, state) in {(each["id"], each["state"]) for each in listed}


async def has_no_cluster(stack: Stack, cluster: str) -> bool:
    dumps = [await envoy.config_dump("dynamic_active_clusters") for envoy in stack.envoys.values()]
    return not any(cluster in str(dump) for dump in dumps)


def sent(status: dict[str, object], label: str) -> list[int]:
    """How many responses of a type each stream was sent."""
    nodes = status["nodes"]
    assert isinstance(nodes, list)
    return [kind["sent"] for node in nodes for kind in node["types"] if kind["type"] == label]
