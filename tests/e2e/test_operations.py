"""What operators do to tenants, through real Envoys: a move that holds writes, an override that ends by itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from tests.e2e.asking import ask
from tests.e2e.watching import is_answered, say, statusz, traffic, until
from xds.cli.asking import Servers
from xds.demo.stack import Stack
from xds.model import Override, OverrideKind
from xds.names import CellId, TenantId
from xds.operations import Author, DrainOptions, Phase, drain_cell, set_override, undrain_cell
from xds.operations.explaining import explain_tenant
from xds.operations.phasing import MoveOptions, Step, move_in_phases
from xds.registry import PostgresRegistry

pytestmark = pytest.mark.asyncio(loop_scope="module")

OLD, NEW = CellId("cell-shared-std-local"), CellId("cell-shared-std-eu")
ANNA = Author("anna", "e2e")


@pytest_asyncio.fixture(loop_scope="module")
async def registry(stack: Stack) -> AsyncIterator[PostgresRegistry]:
    async with PostgresRegistry.open(stack.postgres.dsn) as opened:
        yield opened


def servers(stack: Stack) -> Servers:
    return Servers([stack.control_plane.url])


async def statuses(stack: Stack, tenant: str, method: str, path: str = "/api/x") -> set[tuple[int, str]]:
    """What every Envoy answers, and when to come back."""
    token = stack.idp.mint(tenant)
    answers = [await ask(port, path, method=method, token=token) for port in stack.ports.edges.values()]
    return {(answer.status, answer.headers.get("retry-after", "")) for answer in answers}


async def test_a_move_holds_writes_until_every_envoy_has_switched_and_reads_go_on(
    stack: Stack, registry: PostgresRegistry
) -> None:
    tenant = TenantId(stack.tenants_of(OLD)[0])
    seen: dict[str, list[set[tuple[int, str]]]] = {}
    tables = (await statusz(stack))["snapshot"]["resources"]["rds"]

    def told(step: Step) -> None:
        if step.step == Phase.HELD:
            assert step.envoys == len(stack.envoys)
            checking.append(asyncio.ensure_future(check()))  # noqa: TID251 -- while the move settles

    async def check() -> None:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            seen[method] = [await statuses(stack, tenant, method)]
        seen["GET"] = [await statuses(stack, tenant, "GET")]
        seen["/ws"] = [await statuses(stack, tenant, "GET", "/ws/x")]

    checking: list[asyncio.Future[None]] = []
    async with traffic(stack, tenant) as reads:
        options = MoveOptions(holds=True, settle_seconds=3.0, witness=servers(stack))
        steps = await move_in_phases(registry, tenant, NEW, options, by=ANNA, told=told)
        stack.placements[tenant] = NEW
        await checking[0]
    assert [step.step for step in steps] == ["prepared", "held", "switched", "finished"]
    held = [{(503, "5")}]
    assert seen == {**dict.fromkeys(("POST", "PUT", "PATCH", "DELETE", "/ws"), held), "GET": [{(200, "")}]}
    assert (reads.failed, reads.cells) == ([], {OLD, NEW})
    assert await statuses(stack, tenant, "POST") == {(200, "")}
    # The tables that hold writes are gone with the last tenant that needed them.
    assert (await statusz(stack))["snapshot"]["resources"]["rds"] == tables
    told_why = await explain_tenant(registry, tenant, servers(stack))
    assert (told_why.cell, told_why.agrees) == (NEW, True)
    assert len(told_why.witnessed[0].envoys) == len(stack.envoys)


async def test_an_override_sends_requests_elsewhere_and_ends_by_itself(
    stack: Stack, registry: PostgresRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = TenantId(stack.tenants_of(OLD)[0])
    expires = datetime.now(UTC) + timedelta(seconds=4)
    override = Override(
        tenant=tenant, cell=NEW, kind=OverrideKind.TESTING, owner="anna", reason="e2e", expires_at=expires
    )
    async with traffic(stack, tenant) as seen:
        await set_override(registry, override, now=datetime.now(UTC), by=ANNA)
        await until(lambda: is_answered(stack, tenant, 200, NEW), "the override is in force")
        await until(lambda: is_answered(stack, tenant, 200, OLD), "the override is over")
        late = (datetime.now(UTC) - expires).total_seconds()
    assert seen.failed == []
    say(capsys, f"an override was over on every Envoy {late:.2f} s after its time")
    assert 0 <= late < 5


async def test_a_drain_and_its_undoing_fail_no_request(stack: Stack, registry: PostgresRegistry) -> None:
    tenants = stack.tenants_of(OLD)
    async with traffic(stack, tenants[0]) as seen:
        drained = await drain_cell(registry, OLD, DrainOptions(to=NEW, batch=5), by=ANNA)
        assert drained.moved == len(tenants)
        await until(lambda: is_answered(stack, tenants[0], 200, NEW), "the cell is drained")
        undone = await undrain_cell(registry, OLD, by=ANNA)
        assert undone.moved == len(tenants)
        await until(lambda: is_answered(stack, tenants[0], 200, OLD), "the tenants are back")
    assert seen.failed == []
