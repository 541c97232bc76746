"""The listener for callers inside the platform, on real Envoys: proven by mutual TLS, routed by the cell they name."""

import atexit
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.asking import Reply, ask
from tests.e2e.certificates import Authority
from tests.e2e.watching import execute, extra_cell, until
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(tempfile.mkdtemp(prefix="axds-tls-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
OURS, THEIRS = Authority(FOLDER / "ours"), Authority(FOLDER / "theirs")
SERVER = OURS.issue("edge", "DNS:edge.internal")
PORTS = {"edge-a": free_port(), "edge-b": free_port()}
SETTINGS = {
    "INTERNAL_LISTENERS": ",".join(f"{edge}={LOOPBACK}:{port}" for edge, port in PORTS.items()),
    "INTERNAL_TLS_CERT_FILE": str(SERVER.certificate),
    "INTERNAL_TLS_KEY_FILE": str(SERVER.key),
    "INTERNAL_TLS_CA_FILE": str(OURS.certificate),
    "INTERNAL_ALLOWED_SANS": "spiffe://alpha-swarm/billing, worker.internal",
}
BILLING = OURS.issue("billing", "URI:spiffe://alpha-swarm/billing")
WORKER = OURS.issue("worker", "DNS:worker.internal")
STRANGERS = {
    "another caller of our CA": OURS.issue("other", "URI:spiffe://alpha-swarm/other"),
    "a DNS name that reads like the URI": OURS.issue("other2", "DNS:spiffe.alpha-swarm.billing"),
    "a name that only begins so": OURS.issue("other3", "URI:spiffe://alpha-swarm/billing/x"),
    "the right name by another CA": THEIRS.issue("billing", "URI:spiffe://alpha-swarm/billing"),
    "no certificate": None,
}
CELL = "cell-shared-std-eu"


@pytest.fixture(scope="module", autouse=True)
def _folder_is_removed() -> Iterator[None]:
    yield
    for path in sorted(FOLDER.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    FOLDER.rmdir()


def context(caller: object) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(OURS.certificate))
    made.check_hostname = False
    if caller is not None:
        assert hasattr(caller, "certificate")
        made.load_cert_chain(caller.certificate, caller.key)  # type: ignore[attr-defined]  # an Identity
    return made


async def call(port: int, path: str, headers: Mapping[str, str], caller: object = BILLING) -> Reply:
    """A request of a caller inside the platform."""
    connector = aiohttp.TCPConnector(ssl=context(caller))
    async with (
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.get(f"https://{LOOPBACK}:{port}{path}", headers=headers) as response,
    ):
        held = {name.lower(): value for name, value in response.headers.items()}
        return Reply(status=response.status, headers=held, text=await response.text())


@pytest.mark.parametrize("caller", [BILLING, WORKER], ids=["by URI", "by DNS name"])
async def test_a_proven_caller_reaches_each_cell_by_its_name(stack: Stack, caller: object) -> None:
    for port in PORTS.values():
        for cell in stack.plan.cells:
            for path in ("/api/x", "/ws/x", "/other", "/healthz"):
                reply = await call(port, path, {"x-alphaswarm-cell": cell}, caller)
                assert (reply.status, reply.body["cell"]) == (200, cell), path


@pytest.mark.parametrize("caller", STRANGERS)
async def test_nobody_else_gets_a_word_in(stack: Stack, caller: str) -> None:
    for port in PORTS.values():
        with pytest.raises(aiohttp.ClientError):
            await call(port, "/api/x", {"x-alphaswarm-cell": CELL}, STRANGERS[caller])
        with pytest.raises(aiohttp.ClientError):
            await ask(port, "/api/x", x_alphaswarm_cell=CELL)


async def test_a_proven_caller_is_believed_for_whom_it_calls(stack: Stack) -> None:
    said = {"x-alphaswarm-tenant": "acme", "x-alphaswarm-subject": "ann", "x-request-id": "from-the-caller"}
    for port in PORTS.values():
        seen = (await call(port, "/api/x", {"x-alphaswarm-cell": CELL, **said})).body["headers"]
        assert {name: seen[name] for name in said} == said
        assert seen["x-alphaswarm-cell"] == CELL


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"x-alphaswarm-cell": "cell-unknown"}, 404),
        ({"x-alphaswarm-cell": CELL.upper()}, 404),
        ({"x-alphaswarm-cell": f"{CELL},cell-shared-std-local"}, 404),
        ({"x-alphaswarm-cell": f"{CELL}-api"}, 404),
        ({"x-alphaswarm-cell": "alphaswarm-xds"}, 404),
        ({"x-alphaswarm-cell": ""}, 404),
        ({"x_alphaswarm_cell": CELL}, 400),
    ],
    ids=repr,
)
async def test_what_names_no_cell_reaches_none(stack: Stack, headers: Mapping[str, str], status: int) -> None:
    for port in PORTS.values():
        reply = await call(port, "/api/x", headers)
        assert reply.status == status, reply.text
        assert '"cell"' not in reply.text


async def test_the_table_follows_the_registry(stack: Stack) -> None:
    name = "cell-shared-std-inside"
    named = {"x-alphaswarm-cell": name}

    async def answers(status: int) -> bool:
        return {(await call(port, "/api/x", named)).status for port in PORTS.values()} == {status}

    async with extra_cell(name) as port:
        await execute(
            stack,
            f"INSERT INTO cells (id, state) VALUES ('{name}', 'active')",
            f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{name}', '127.0.0.1', {port})",
        )
        await until(lambda: answers(200), "the new cell is served")
        await execute(stack, f"UPDATE cells SET state = 'provisioning' WHERE id = '{name}'")
        await until(lambda: answers(503), "it is out of service")
        assert (await call(PORTS["edge-a"], "/api/x", named)).headers["retry-after"] == "30"
        await execute(stack, f"DELETE FROM cells WHERE id = '{name}'")
        await until(lambda: answers(404), "it is gone")


async def test_on_the_public_listener_the_header_chooses_nothing(stack: Stack) -> None:
    here = stack.placements["acme"]
    other = next(cell for cell in stack.plan.cells if cell != here)
    for port in stack.ports.edges.values():
        reply = await ask(port, "/api/x", token=stack.idp.mint("acme"), x_alphaswarm_cell=other)
        assert (reply.body["cell"], reply.body["headers"]["x-alphaswarm-cell"]) == (here, here)
        assert (await ask(port, "/api/x", x_alphaswarm_cell=other)).status == 401


async def test_it_is_alive_without_a_cell(stack: Stack) -> None:
    for port in PORTS.values():
        assert (await call(port, "/healthz", {})).status == 200
