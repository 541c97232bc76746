"""Tokens for keys, and questions about tokens, over a real socket; keys in memory, tokens real."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs

from tests.integration.http.face import SERVING
from tests.support.edge import cell, edge_options, tenant, topology
from tests.support.keystore import MemoryKeys
from xds.errors import RegistryUnavailable
from xds.http import HttpServer, RateLimiter, TokenFace, TokenLimits, build_app
from xds.model import Topology
from xds.names import CellId, KeyId, TenantId
from xds.operations import Author, create_key, revoke_key
from xds.operations.apikeys import NewKey
from xds.operations.bearing import of_outcome
from xds.operations.exchanging import Denied, Granted, exchange
from xds.operations.validating import Validation, validate
from xds.settings import Address
from xds.telemetry import Metrics
from xds.tokens import Signer, Verified, Verifier, read_signing_key
from xds.translate import translate

NOW = datetime(2027, 1, 1, tzinfo=UTC)
PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
SIGNER = Signer(
    [read_signing_key(PEM)],
    issuer="https://ours",
    audiences=("api",),
    life_seconds=300,
    tenant_claim="tenant_id",
    cell_claim="cell",
)
VERIFIER = Verifier([SIGNER.issuer])
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class DownKeys(MemoryKeys):
    """A store that can't be reached."""

    async def digest_of(self, key_id: KeyId) -> bytes:
        raise RegistryUnavailable(f"registry db:5432/x: cannot be reached (for {key_id})")


@dataclass
class World:
    """What is behind the face, and its address; the clocks stand still unless moved."""

    keys: MemoryKeys = field(default_factory=lambda: MemoryKeys(["acme", "globex"]))
    topology: Topology | None = field(
        default_factory=lambda: topology(cell("cell-a"), tenant("acme", "cell-a"), tenant("globex", suspended=True))
    )
    is_signing: bool = True
    by_client: int = 1000
    by_key: int = 1000
    validations: int = 1000
    seconds: float = 0.0
    metrics: Metrics = field(default_factory=Metrics)

    async def exchange(self, text: str, is_bound: bool) -> Granted | Denied | None:
        if self.topology is None:
            return None
        return await exchange(self.keys, SIGNER, self.topology, text, bind_cell=is_bound, now=NOW.timestamp())

    async def validate(self, token: str, where: CellId) -> Validation | None:
        if self.topology is None:
            return None
        bearer = of_outcome(VERIFIER.verify(token, NOW.timestamp()))
        return validate(bearer, translate(self.topology, edge_options()), where)

    def face(self) -> TokenFace:
        limits = TokenLimits(
            exchanges=RateLimiter(self.by_client / 60, self.by_client),
            by_key=RateLimiter(self.by_key / 60, self.by_key),
            validations=RateLimiter(1, self.validations),
            clock=lambda: self.seconds,
        )
        return TokenFace(
            validate=self.validate,
            limits=limits,
            metrics=self.metrics,
            exchange=self.exchange if self.is_signing else None,
            jwks=SIGNER.jwks if self.is_signing else "",
        )

    async def make(self, tenant_id: str = "acme") -> NewKey:
        expires_at = NOW + timedelta(days=1)
        return await create_key(self.keys, TenantId(tenant_id), "ci", by=Author("me"), now=NOW, expires_at=expires_at)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: Any


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[aiohttp.ClientSession]:
    app = build_app(lambda: SERVING, world.metrics, routes=world.face().routes())
    async with (
        HttpServer(app, Address("127.0.0.1", 0)) as server,
        aiohttp.ClientSession(f"http://{server.address}", timeout=aiohttp.ClientTimeout(total=10)) as session,
    ):
        yield session


async def ask(client: aiohttp.ClientSession, path: str, method: str = "POST", **request: Any) -> Answer:
    async with client.request(method, path, **request) as answer:
        return Answer(answer.status, answer.headers, json.loads(await answer.text()))


async def token_for(client: aiohttp.ClientSession, key: str, **fields: Any) -> Answer:
    return await ask(client, "/token", json={"api_key": key, **fields})


def read(token: str) -> Verified:
    outcome = VERIFIER.verify(token, NOW.timestamp())
    assert isinstance(outcome, Verified), outcome
    return outcome


async def test_a_key_is_exchanged_for_a_token_however_it_comes(world: World, client: aiohttp.ClientSession) -> None:
    key = (await world.make()).text
    for request in (
        {"json": {"api_key": key}},
        {"data": f"api_key={key}", "headers": FORM},
        {"headers": {"Authorization": f"Bearer {key}"}},
        {"headers": {"Authorization": f"Bearer {key}"}, "json": {"bind_cell": False}},
    ):
        answer = await ask(client, "/token", **request)
        assert answer.status == 200, answer
        assert set(answer.body) == {"access_token", "token_type", "expires_in"}
        assert (answer.body["token_type"], answer.body["expires_in"]) == ("Bearer", 300)
        assert answer.headers["Cache-Control"] == "no-store"
        assert (read(answer.body["access_token"]).tenant, read(answer.body["access_token"]).cell) == ("acme", None)


async def test_a_token_is_bound_on_request(world: World, client: aiohttp.ClientSession) -> None:
    key = (await world.make()).text
    as_json = await token_for(client, key, bind_cell=True)
    as_form = await ask(client, "/token", data=f"api_key={key}&bind_cell=true", headers=FORM)
    assert [read(answer.body["access_token"]).cell for answer in (as_json, as_form)] == ["cell-a", "cell-a"]


async def test_whatever_is_wrong_with_a_key_the_answer_is_the_same_to_the_byte(
    world: World, client: aiohttp.ClientSession
) -> None:
    revoked, suspended = await world.make(), await world.make("globex")
    await revoke_key(world.keys, revoked.key.id, now=NOW)
    good = (await world.make()).text
    texts = [
        revoked.text,
        suspended.text,
        good[:-4] + "AAAA",
        f"ask_{'f' * 16}_{'A' * 43}",
        "ask_",
        "no key",
        "\ud800",
        "",
    ]
    seen = set()
    for text in texts:
        async with client.post(
            "/token", data=json.dumps({"api_key": text}), headers={"Content-Type": "application/json"}
        ) as answer:
            kept = {name: value for name, value in answer.headers.items() if name not in ("Date", "Server")}
            seen.add((answer.status, await answer.read(), tuple(sorted(kept.items()))))
    ((status, body, _headers),) = seen
    assert status == 401
    assert json.loads(body)["detail"] == "the API key is not valid"


async def test_why_is_for_our_log_alone_and_no_secret_is_in_it(world: World, client: aiohttp.ClientSession) -> None:
    new = await world.make()
    with capture_logs() as logs:
        issued = (await token_for(client, new.text)).body["access_token"]
        await revoke_key(world.keys, new.key.id, now=NOW)
        await token_for(client, new.text)
        await ask(client, "/validate", json={"token": issued, "cell": "cell-a"})
    told = [(line["event"], line.get("key_id"), line.get("reason")) for line in logs if line["log_level"] == "info"]
    assert told == [("token.issued", new.key.id, None), ("token.denied", new.key.id, "revoked")]
    assert new.text.split("_", 2)[2] not in str(logs)
    assert issued not in str(logs)


async def test_who_asks_too_often_waits_and_then_may_again(client: aiohttp.ClientSession, world: World) -> None:
    key = (await world.make()).text
    for _ in range(world.by_client):
        world.seconds += 0.0
        if (await token_for(client, "wrong")).status == 429:
            break
    limited = await token_for(client, key)
    assert limited.status == 429
    assert limited.body["detail"] == "asked too often"
    assert int(limited.headers["Retry-After"]) >= 1
    world.seconds += 1
    assert (await token_for(client, key)).status == 200


@pytest.mark.parametrize("world", [World(by_client=3)])
async def test_guesses_are_limited_before_any_key_is_looked_up(world: World, client: aiohttp.ClientSession) -> None:
    assert [(await token_for(client, "wrong")).status for _ in range(5)] == [401, 401, 401, 429, 429]
    assert len(world.keys.asked) == 3


@pytest.mark.parametrize("world", [World(by_key=2)])
async def test_a_key_has_its_own_limit_which_nobody_else_can_use_up(
    world: World, client: aiohttp.ClientSession
) -> None:
    new, other = await world.make(), await world.make()
    for _ in range(10):
        assert (await token_for(client, f"ask_{new.key.id}_{'A' * 43}")).status == 401
    assert [(await token_for(client, new.text)).status for _ in range(3)] == [200, 200, 429]
    assert (await token_for(client, other.text)).status == 200


@pytest.mark.parametrize("world", [World(is_signing=False)])
async def test_without_a_signing_key_the_exchange_is_off_and_says_so(
    world: World, client: aiohttp.ClientSession
) -> None:
    off = "no token is given for API keys here: XDS_SIGNING_KEY_FILES is not set"
    asked = await token_for(client, (await world.make()).text)
    jwks = await ask(client, "/.well-known/jwks.json", "GET")
    assert [(answer.status, answer.body["detail"]) for answer in (asked, jwks)] == [(404, off), (404, off)]
    assert world.keys.asked == []


@pytest.mark.parametrize("world", [World(topology=None)])
async def test_before_the_first_snapshot_nothing_is_decided(world: World, client: aiohttp.ClientSession) -> None:
    exchanged = await token_for(client, (await world.make()).text)
    validated = await ask(client, "/validate", json={"token": "t", "cell": "cell-a"})
    for answer in (exchanged, validated):
        assert (answer.status, answer.body["detail"]) == (503, "no snapshot is published yet")
        assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("world", [World(keys=DownKeys(["acme"]))])
async def test_a_database_that_is_down_is_a_503_that_says_nothing_of_it(
    world: World, client: aiohttp.ClientSession
) -> None:
    with capture_logs() as logs:
        answer = await token_for(client, (await world.make()).text)
    assert (answer.status, answer.body["detail"]) == (503, "keys cannot be looked up now")
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["token.failed"]


async def test_the_jwks_is_our_public_keys(client: aiohttp.ClientSession) -> None:
    answer = await ask(client, "/.well-known/jwks.json", "GET")
    assert answer.status == 200
    assert answer.body == json.loads(SIGNER.jwks)
    assert [set(key) for key in answer.body["keys"]] == [{"kty", "crv", "x", "y", "alg", "use", "kid"}]


async def test_whether_a_token_is_good_in_a_cell(world: World, client: aiohttp.ClientSession) -> None:
    token = (await token_for(client, (await world.make()).text)).body["access_token"]
    good = await ask(client, "/validate", json={"token": token, "cell": "cell-a"})
    assert (good.status, good.body) == (
        200,
        {"allowed": True, "reason": "the tenant lives in this cell", "tenant": "acme", "cell": "cell-a"},
    )
    elsewhere = await ask(client, "/validate", data=f"token={token}&cell=cell-b", headers=FORM)
    assert (elsewhere.status, elsewhere.body["allowed"]) == (200, False)
    assert elsewhere.body["reason"] == "the tenant does not live in this cell"
    by_header = await ask(client, "/validate", json={"cell": "cell-a"}, headers={"Authorization": f"Bearer {token}"})
    assert by_header.body == good.body


async def test_a_token_that_does_not_hold_is_an_answer_and_no_error(client: aiohttp.ClientSession) -> None:
    answer = await ask(client, "/validate", json={"token": "abc", "cell": "\ud800"})
    reason = "the token is not a signed JWT"
    assert (answer.status, answer.body) == (200, {"allowed": False, "reason": reason, "tenant": "", "cell": "\ud800"})


@pytest.mark.parametrize(
    "fields", [{}, {"token": "t"}, {"cell": "c"}, {"token": 1, "cell": "c"}, {"token": "t", "cell": []}]
)
async def test_half_a_question_is_refused(client: aiohttp.ClientSession, fields: dict[str, object]) -> None:
    answer = await ask(client, "/validate", json=fields)
    assert answer.status == 400
    assert "expected" in answer.body["detail"]


@pytest.mark.parametrize("world", [World(validations=2)])
async def test_questions_are_limited(client: aiohttp.ClientSession) -> None:
    asked = [await ask(client, "/validate", json={"token": "t", "cell": "c"}) for _ in range(3)]
    assert [answer.status for answer in asked] == [200, 200, 429]
    assert asked[2].headers["Retry-After"] == "1"


async def test_what_became_of_them_is_counted(world: World, client: aiohttp.ClientSession) -> None:
    token = (await token_for(client, (await world.make()).text)).body["access_token"]
    await token_for(client, "wrong")
    await ask(client, "/validate", json={"token": token, "cell": "cell-a"})
    await ask(client, "/validate", json={"token": "t", "cell": "cell-a"})
    text = world.metrics.render().decode()
    for line in (
        'token_exchanges_total{outcome="granted"} 1.0',
        'token_exchanges_total{outcome="denied"} 1.0',
        'token_validations_total{outcome="allowed"} 1.0',
        'token_validations_total{outcome="refused"} 1.0',
    ):
        assert f"alphaswarm_xds_{line}" in text
