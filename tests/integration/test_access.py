"""The HTTP side as it is built from settings: on a real PostgreSQL, with a publisher that runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.support.signing import secret_lines, write_key
from xds.access import Access, Credentials, own_issuer
from xds.configured import edge_options, issuer_options
from xds.demo.idp import IdentityProvider
from xds.errors import SettingsError
from xds.http import HttpServer
from xds.model import Cell, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import Author, add_cell, add_tenant, create_key, move_tenant, revoke_key, set_tenant_state
from xds.operations.fleet import FleetView
from xds.operations.operators import Role
from xds.operations.status import PublishStatus, RegistryStatus, SystemStatus
from xds.publish import Feed
from xds.publish.publisher import Publisher
from xds.registry import PostgresRegistry
from xds.server import Fleet, Operators
from xds.settings import Address, CbaMode, HttpAuth, Settings
from xds.telemetry import Metrics
from xds.tokens import TrustedIssuer, Verified, Verifier, read_issuers
from xds.tokens.keeping import Keys

IDP = IdentityProvider()
A, B = CellId("cell-a"), CellId("cell-b")
ACME = TenantId("acme")
STATUS = SystemStatus(
    version="0",
    started_at=0,
    now=1,
    auth_mode="required",
    cba_mode="enforce",
    draining=False,
    registry=RegistryStatus(connected=True, error="", since=0),
    publish=PublishStatus(),
)


@pytest.fixture(autouse=True)
def jwks_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jwks.json").write_text(IDP.jwks())


def settings(**values: object) -> Settings:
    given = {"auth_issuer": IDP.issuer, "auth_audience": (IDP.audience,), "auth_jwks_file": Path("jwks.json")} | values
    return Settings(**given)  # type: ignore[arg-type]  # pydantic checks them


class Served:
    """The HTTP side, what is behind it, and everything that it ever answered."""

    def __init__(
        self, registry: PostgresRegistry, publisher: Publisher, session: aiohttp.ClientSession, operators: Operators
    ) -> None:
        self.registry = registry
        self.operators = operators
        self._publisher = publisher
        self._session = session
        self.answered: list[str] = []

    async def ask(self, path: str, method: str = "GET", **request: Any) -> tuple[int, Any]:
        async with self._session.request(method, path, **request) as answer:
            text = await answer.text()
            self.answered.append(f"{answer.headers} {text}")
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def published(self) -> None:
        """Wait until what is committed is published."""
        newest = (await self.registry.load()).revision
        async with asyncio.timeout(10):
            while self._publisher.status.revision < newest:  # noqa: ASYNC110 -- the publisher has no event for us
                await asyncio.sleep(0.01)


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Serve:
    @asynccontextmanager
    async def run(**values: object) -> AsyncIterator[Served]:
        chosen = settings(xds_signing_key_files=(write_key(tmp_path / "key.pem"),), **values)
        issuers, metrics, fleet = read_issuers(chosen), Metrics(), Fleet()
        keys = Keys(issuers, metrics, refresh_seconds=60, overlap_seconds=0)
        keys.load_files()
        credentials = Credentials(issuers, keys, own_issuer(chosen, issuers), chosen.auth_clock_skew_seconds)
        options = edge_options(chosen, [issuer_options(each) for each in issuers])
        async with PostgresRegistry.open(database_url, poll_seconds=0.1) as registry, asyncio.TaskGroup() as tasks:
            publisher = Publisher(registry, options, Feed(), metrics, interval=0, keys=credentials)
            await add_cell(registry, Cell(id=A))
            await add_cell(registry, Cell(id=B))
            await add_tenant(registry, Tenant(ACME, A))
            running = tasks.create_task(publisher.run())
            access = Access(chosen, credentials, registry, publisher, fleet)
            nobody = FleetView(replicas=(), nodes=())
            control = access.build_control(lambda: STATUS, lambda: nobody, options)
            app = access.build_app(lambda: STATUS, metrics, control)
            async with (
                HttpServer(app, Address("127.0.0.1", 0)) as server,
                aiohttp.ClientSession(f"http://{server.address}", timeout=aiohttp.ClientTimeout(total=10)) as session,
            ):
                served = Served(registry, publisher, session, access.operators(None))
                await served.published()
                yield served
            running.cancel()

    return run


async def make_key(served: Served) -> str:
    now = datetime.now(UTC)
    new = await create_key(
        served.registry.api_keys, ACME, "ci", by=Author("me"), now=now, expires_at=now + timedelta(days=1)
    )
    return new.text


async def token_for(served: Served, key: str, **fields: object) -> tuple[int, str]:
    status, body = await served.ask("/token", "POST", json={"api_key": key, **fields})
    return status, body.get("access_token", "")


async def test_a_key_gives_a_token_that_holds_as_long_as_the_tenant_does(serve: Serve) -> None:
    async with serve() as served:
        key = await make_key(served)
        status, token = await token_for(served, key, bind_cell=True)
        assert status == 200
        asked = {"token": token, "cell": A}
        assert (await served.ask("/validate", "POST", json=asked))[1]["allowed"] is True
        await set_tenant_state(served.registry, ACME, TenantState.SUSPENDED)
        await served.published()
        assert await token_for(served, key) == (401, "")
        assert (await served.ask("/validate", "POST", json=asked))[1]["reason"] == "the tenant is suspended"


async def test_a_move_is_followed_by_what_is_bound_to_the_cell(serve: Serve) -> None:
    async with serve() as served:
        key = await make_key(served)
        _, bound = await token_for(served, key, bind_cell=True)
        await move_tenant(served.registry, ACME, B)
        await served.published()
        asked = await served.ask("/validate", "POST", json={"token": bound, "cell": B})
        assert asked[1]["reason"] == "the token is bound to another cell"
        _, again = await token_for(served, key, bind_cell=True)
        assert (await served.ask("/validate", "POST", json={"token": again, "cell": B}))[1]["allowed"] is True


async def test_a_revoked_key_gives_nothing_from_then_on(serve: Serve) -> None:
    async with serve() as served:
        key = await make_key(served)
        (listed,) = await served.registry.api_keys.listed(None)
        await revoke_key(served.registry.api_keys, listed.id, now=datetime.now(UTC))
        assert await token_for(served, key) == (401, "")


@pytest.mark.parametrize(("mode", "allowed"), [(CbaMode.ENFORCE, False), (CbaMode.MONITOR, True), (CbaMode.OFF, True)])
async def test_the_idps_tokens_are_validated_too_in_the_mode_that_is_set(
    serve: Serve, mode: CbaMode, allowed: bool
) -> None:
    async with serve(cba_mode=mode) as served:
        asked = {"token": IDP.mint("acme", cell=B), "cell": A}
        assert (await served.ask("/validate", "POST", json=asked))[1]["allowed"] is allowed


async def test_a_token_is_resolved_whoever_signed_it(serve: Serve) -> None:
    async with serve() as served:
        _, ours = await token_for(served, await make_key(served))
        for token, issuer in ((ours, "https://alphaswarm-xds"), (IDP.mint("acme"), IDP.issuer)):
            status, document = await served.ask("/resolve", "POST", json={"token": token})
            assert status == 200
            assert document["cell"]["id"] == A
            assert document["why"][0] == f"The token is good, and {issuer} says that it is tenant acme's."


async def test_an_operator_needs_a_token_of_an_idp_with_a_role(serve: Serve) -> None:
    async with serve(http_auth=HttpAuth.TOKEN, auth_operator_claim="scope", auth_read_role="xds:read") as served:
        _, ours = await token_for(served, await make_key(served))
        for token, expected in (
            ("", 401),
            (ours, 401),
            (IDP.mint("acme"), 403),
            (IDP.mint("acme", scope="openid xds:read"), 200),
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            for path in ("/statusz", "/resolve?tenant=acme", "/manage/cells"):
                assert (await served.ask(path, headers=headers))[0] == expected, path
        assert (await served.ask("/metrics"))[0] == 200
        assert (await served.ask("/.well-known/jwks.json"))[0] == 200


async def test_no_other_issuer_than_one_that_may_names_an_operator(serve: Serve, tmp_path: Path) -> None:
    partner = IdentityProvider(issuer="https://partner.example", audience="read")
    (tmp_path / "partner.json").write_text(partner.jwks())
    issuers = [
        {"issuer": IDP.issuer, "audiences": [IDP.audience], "jwks_file": "jwks.json", "operators": True},
        {"issuer": partner.issuer, "audiences": ["read"], "jwks_file": "partner.json"},
    ]
    (tmp_path / "issuers.json").write_text(json.dumps(issuers))
    several = {
        "auth_issuer": "",
        "auth_audience": (),
        "auth_jwks_file": None,
        "auth_issuers_file": Path("issuers.json"),
    }
    chosen = {"http_auth": HttpAuth.TOKEN, "auth_operator_claim": "aud", **several}
    async with serve(**chosen) as served:
        status, ours = await token_for(served, await make_key(served))
        assert status == 200
        good = IDP.mint("acme", aud=[IDP.audience, "read"])
        for token, expected in ((ours, 401), (partner.mint("acme"), 401), (good, 200)):
            assert (await served.ask("/statusz", headers={"Authorization": f"Bearer {token}"}))[0] == expected
            admitted = served.operators.admit(_Call(token), Role.READ)
            assert isinstance(admitted, str) is (expected == 200), admitted
        for token in (ours, partner.mint("acme")):
            asked = {"token": token, "cell": A}
            assert (await served.ask("/validate", "POST", json=asked))[1]["allowed"] is True, "they are tenants' tokens"


class _Call:
    """What gRPC tells of a call from this machine with a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def peer(self) -> str:
        return "ipv4:127.0.0.1:4711"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token}"),)


async def test_no_secret_is_in_any_answer_metric_or_log(serve: Serve, tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with serve() as served:
            key = await make_key(served)
            _, token = await token_for(served, key, bind_cell=True)
            served.answered.clear()  # the token is in the answer that it was asked for with, and nowhere else
            bearer = {"Authorization": f"Bearer {token}"}
            for path in ("/healthz", "/readyz", "/statusz", "/metrics", "/manage/cells", "/.well-known/jwks.json"):
                await served.ask(path, headers=bearer)
            for path in ("/resolve?tenant=acme", f"/resolve?token={token}", f"/resolve?tenant={key}", "/nowhere"):
                await served.ask(path, headers={"Authorization": f"Bearer {key}"})
            for body in (
                {"token": token, "cell": A},
                {"token": key, "cell": key},
                {"token": token + "x", "cell": token},
            ):
                await served.ask("/validate", "POST", json=body)
                await served.ask("/resolve", "POST", json=body)
            await served.ask("/token", "POST", json={"api_key": key + "x"})
            await served.ask("/token", "POST", data=key, headers={"Content-Type": "text/plain"})
    told = "\n".join([*served.answered, *map(str, logs)])
    secrets = {"key": key.split("_", 2)[2], "token": token.rsplit(".", 1)[1]}
    assert [name for name, secret in secrets.items() if secret in told] == []
    assert not any(line in told for line in secret_lines(tmp_path / "key.pem"))
    assert '"d"' not in told


def test_the_edges_issuers_are_the_verifiers_once_their_keys_are_known() -> None:
    chosen = settings(auth_tenant_claim="org.id", auth_cell_claim="home")
    issuers = read_issuers(chosen)
    keys = Keys(issuers, Metrics(), refresh_seconds=60, overlap_seconds=0)
    credentials = Credentials(issuers, keys, None, 5)
    assert credentials.trusted() == ()

    keys.load_files()

    (trusted,) = credentials.trusted()
    assert (trusted.issuer, trusted.audiences, trusted.clock_skew_seconds) == (IDP.issuer, (IDP.audience,), 5)
    assert (trusted.tenant_claim, trusted.cell_claim) == ("/org/id", "/home")
    assert json.loads(trusted.jwks)["keys"][0]["kid"] == json.loads(IDP.jwks())["keys"][0]["kid"]


def test_our_own_issuer_is_like_the_idps_but_for_name_and_keys(tmp_path: Path) -> None:
    files = tuple(write_key(tmp_path / name) for name in ("new.pem", "old.pem"))
    chosen = settings(
        xds_signing_key_files=files,
        token_issuer="https://ours",
        token_life_seconds=60,
        auth_tenant_claim="org.id",
        auth_cell_claim="home",
        auth_clock_skew_seconds=5,
    )
    signer = own_issuer(chosen, read_issuers(chosen))
    assert signer is not None
    assert signer.issuer == TrustedIssuer(
        issuer="https://ours",
        audiences=(IDP.audience,),
        jwks=signer.jwks,
        tenant_claim="org.id",
        cell_claim="home",
        clock_skew_seconds=5,
    )
    assert len(json.loads(signer.jwks)["keys"]) == 2


def test_without_a_signing_key_there_is_no_issuer_of_ours() -> None:
    assert own_issuer(settings(), ()) is None


def test_our_own_issuer_has_a_name_and_an_audience_of_its_own(tmp_path: Path) -> None:
    issuers = [{"issuer": IDP.issuer, "audiences": [IDP.audience], "jwks_file": "jwks.json"}]
    (tmp_path / "issuers.json").write_text(json.dumps(issuers))
    keys = (write_key(tmp_path / "key.pem"),)
    twice = Settings(auth_issuers_file=Path("issuers.json"), xds_signing_key_files=keys, token_issuer=IDP.issuer)
    nobodys = Settings(auth_mode="off", auth_anonymous_tenant="acme", xds_signing_key_files=keys)
    for chosen, fault in (
        (twice, f"TOKEN_ISSUER: {IDP.issuer} is in AUTH_ISSUERS_FILE; whoever signs has a name of its own"),
        (nobodys, "AUTH_AUDIENCE: must be set with XDS_SIGNING_KEY_FILES: for whom the tokens are"),
    ):
        with pytest.raises(SettingsError) as refused:
            own_issuer(chosen, read_issuers(chosen))
        assert refused.value.faults == (fault,)


def test_a_signing_key_that_can_not_be_used_is_told_by_its_file(tmp_path: Path) -> None:
    missing, wrong = tmp_path / "missing.pem", tmp_path / "wrong.pem"
    wrong.write_text("s3cret")
    for file, fault in (
        (missing, f"XDS_SIGNING_KEY_FILES: cannot read {missing}: No such file or directory"),
        (wrong, f"XDS_SIGNING_KEY_FILES: {wrong}: expected the PEM of a P-256 private key without a passphrase"),
    ):
        with pytest.raises(SettingsError) as refused:
            own_issuer(settings(xds_signing_key_files=(file,)), ())
        assert refused.value.faults == (fault,)


async def test_what_an_idp_signs_with_a_new_key_is_accepted_once_it_is_trusted() -> None:
    newer = IdentityProvider()

    def trusted(idp: IdentityProvider) -> TrustedIssuer:
        return TrustedIssuer(issuer=idp.issuer, audiences=(idp.audience,), jwks=idp.jwks())

    verifier = Verifier([trusted(IDP)])
    token, now = newer.mint("acme"), datetime.now(UTC).timestamp()
    assert not isinstance(verifier.verify(token, now), Verified)
    verifier.trust([trusted(newer)])
    assert isinstance(verifier.verify(token, now), Verified)
