"""The red button, pushed over HTTP and by the command line, on a PostgreSQL that is shut."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.integration.cli.conftest import Ran, run_program
from tests.support.controlled import ACME, OPERATOR, READER, A, B, Controlled, controlled
from tests.support.postgres import PostgresServer, name_of, opened, shut
from xds.operations import AuditQuery

PATH = "/manage/emergency/evacuations"
NOBODY = "http://127.0.0.1:1"
DOWN = "postgresql://user:s3cret@127.0.0.1:1/alphaswarm"


async def command_of(arguments: list[str]) -> Ran:
    return await asyncio.to_thread(run_program, arguments, DOWN, XDS_OPERATOR_TOKEN=OPERATOR)


@pytest.fixture
async def database(sql: asyncpg.Connection) -> str:
    return await name_of(sql)


@pytest.fixture
async def down(operated: Controlled, postgres: PostgresServer, database: str) -> AsyncIterator[Controlled]:
    """The control plane, once it has seen that the database is shut."""
    shut(postgres, database)
    await operated.until(lambda: bool(operated.publisher.status.error))
    yield operated
    opened(postgres, database)


async def push(plane: Controlled, *arguments: str, token: str = OPERATOR) -> tuple[int, str, str]:
    command = ["cells", "evacuate", A, "--to", B, "--offline", "--yes", "-m", "it burns", *arguments]
    ran = await asyncio.to_thread(run_program, [*command, "--server", plane.http], DOWN, XDS_OPERATOR_TOKEN=token)
    return ran.status, ran.out, ran.err


async def test_it_is_refused_as_long_as_the_registry_answers(operated: Controlled) -> None:
    refused = await operated.ask("POST", PATH, {"from": A, "to": B})
    assert (refused.status, "the registry answers" in refused.body["detail"]) == (409, True)
    assert not operated.publisher.status.is_ahead


async def test_it_works_while_the_database_is_down_and_is_recorded_afterwards(
    down: Controlled, postgres: PostgresServer, database: str
) -> None:
    moved = await down.ask("POST", PATH, {"from": A, "to": B, "message": "it burns"})
    assert (moved.status, moved.body) == (200, {"was": A, "tenants": 1, "to": {B: 1}, "left": 0})
    assert (await down.get(f"/resolve?tenant={ACME}"))["snapshot"] == 1
    assert down.publisher.status.is_ahead

    opened(postgres, database)
    await down.until(lambda: not down.publisher.status.is_ahead and not down.publisher.status.error)
    found = await down.registry.find_tenant(ACME)
    assert found is not None
    assert found.cell == B
    event = (await down.registry.list_audit(AuditQuery(tenant=ACME)))[0]
    assert (event.actor, event.message) == ("olga", "emergency: it burns")


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"from": A, "to": A}, 400, "expected another cell"),
        ({"from": A, "to": "cell-x"}, 404, "cell cell-x: no such cell"),
        ({"from": "cell-x"}, 404, "cell cell-x: no such cell"),
        ({"from": A, "to": B, "message": "a\nb"}, 400, "message: expected"),
    ],
)
async def test_what_makes_no_sense_or_could_not_be_recorded_is_refused(
    down: Controlled, body: dict[str, object], status: int, detail: str
) -> None:
    refused = await down.ask("POST", PATH, body)
    assert (refused.status, detail in refused.body["detail"]) == (status, True), refused
    assert not down.publisher.status.is_ahead


async def test_the_command_asks_every_server_and_tells_of_each(down: Controlled) -> None:
    status, out, err = await push(down, "--server", NOBODY)
    assert (status, out) == (1, f"{down.http}: 1 tenants led from {A} to {B}\n")
    assert err == f"{NOBODY}: cannot be asked: [Errno 111] Connection refused\n"
    assert down.publisher.status.is_ahead


async def test_the_command_wants_an_operators_token_its_servers_and_a_yes(down: Controlled) -> None:
    status, _, err = await push(down, token=READER)
    assert (status, "the token lacks the role to operate" in err) == (1, True)
    assert not down.publisher.status.is_ahead
    for arguments in (["--offline", "--yes"], ["--offline", "--to", B, "--server", down.http], ["--server", down.http]):
        ran = await asyncio.to_thread(run_program, ["cells", "evacuate", A, *arguments], DOWN)
        assert ran.status == 2, ran
    assert not down.publisher.status.is_ahead


async def test_the_command_speaks_json_and_its_status_is_0_when_all_did_it(
    database_url: str, tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    async with controlled(database_url, tmp_path) as plane:
        shut(postgres, database)
        await plane.until(lambda: bool(plane.publisher.status.error))
        status, out, err = await push(plane, "--json", token="")
        assert (status, err) == (0, "")
        assert json.loads(out)["data"] == [{"server": plane.http, "tenants": 1, "to": {B: 1}, "left": 0}]
        opened(postgres, database)


async def test_the_command_says_what_would_be_done_and_does_it_in_batches(
    down: Controlled, postgres: PostgresServer, database: str
) -> None:
    offline = ["--offline", "--server", down.http]
    for command in ("evacuate", "drain"):
        ran = await command_of(["cells", command, A, "--dry-run", *offline])
        assert (ran.status, ran.out) == (0, f"{down.http}: 1 tenants would be led from {A} to {B}\n"), ran.err
    assert not down.publisher.status.is_ahead
    ran = await command_of(["cells", "drain", A, *offline])
    assert (ran.status, "Say --yes" in ran.err) == (2, True)

    ran = await command_of(["cells", "drain", A, "--batch", "1", "--pause", "0", "--yes", "--json", *offline])
    told = {"server": down.http, "tenants": 1, "to": {B: 1}, "left": 0}
    assert (ran.status, ran.json) == (0, {"cell": A, "data": [told]}), ran.err
    refused = await command_of(["cells", "drain", A, "--yes", "--server", NOBODY, *offline])
    assert (refused.status, refused.out) == (1, f"{down.http}: 0 tenants led from {A} to nowhere\n")
    assert "Connection refused" in refused.err
    opened(postgres, database)
    await down.until(lambda: not down.publisher.status.is_ahead and not down.publisher.status.error)
    found = await down.registry.find_cell(A)
    assert found is not None
    assert found[0].state == "draining"
