"""Keys that are kept fresh from a real server and from files, through every way in which they may fail to come."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.issuing import JwksEndpoint, jwks_endpoint
from xds.demo.idp import AUDIENCE, ISSUER, IdentityProvider
from xds.errors import KeysUnavailable, SettingsError
from xds.telemetry import Metrics
from xds.tokens import Issuer
from xds.tokens.keeping import Keys

SECONDS = 10.0


@dataclass
class Keeping:
    """Keys that are watched, and who is woken."""

    idp: IdentityProvider
    endpoint: JwksEndpoint
    keys: Keys
    metrics: Metrics
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def key_ids(self) -> list[str]:
        """The ids of the keys in force."""
        return key_ids(self.keys)


def issuer(jwks: str | Path) -> Issuer:
    return Issuer(
        issuer=ISSUER,
        audiences=(AUDIENCE,),
        jwks=jwks,
        tenant_claim=("tenant_id",),
        cell_claim=("cell",),
        algorithms=("RS256",),
        setting="AUTH_JWKS_FILE",
    )


def key_ids(keys: Keys) -> list[str]:
    return sorted(key["kid"] for key in json.loads(keys.jwks()[ISSUER])["keys"])


@asynccontextmanager
async def keeping(*, overlap: float = 0.3, refresh: float = 0.05, status: int = 200) -> AsyncIterator[Keeping]:
    idp, metrics = IdentityProvider(key_id="1"), Metrics()
    async with jwks_endpoint(idp.jwks) as endpoint:
        endpoint.status = status
        keys = Keys([issuer(endpoint.url)], metrics, refresh_seconds=refresh, overlap_seconds=overlap)
        held = Keeping(idp, endpoint, keys, metrics)
        async with asyncio.timeout(SECONDS * 3), asyncio.TaskGroup() as tasks:
            task = tasks.create_task(keys.watch(held.woken.set))
            yield held
            task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.005)


async def test_keys_are_fetched_and_whoever_needs_them_is_woken() -> None:
    async with keeping() as held:
        await held.woken.wait()

        assert held.key_ids() == ["1"]
        (status,) = held.keys.status
        assert (status.issuer, status.keys, status.retiring, status.error) == (ISSUER, 1, 0, "")
        assert status.fetched_at is not None


async def test_a_new_key_comes_and_a_withdrawn_one_stays_for_its_overlap() -> None:
    async with keeping() as held:
        await held.woken.wait()
        held.idp.publish_key("2")
        await until(lambda: held.key_ids() == ["1", "2"])
        held.idp.withdraw_key("1")
        await until(lambda: held.keys.status[0].retiring == 1)
        assert held.key_ids() == ["1", "2"]
        held.woken.clear()
        await held.woken.wait()

        assert held.key_ids() == ["2"]


async def test_a_withdrawn_key_ends_though_no_more_keys_can_be_fetched() -> None:
    async with keeping(refresh=0.1) as held:
        await held.woken.wait()
        held.idp.publish_key("2")
        held.idp.withdraw_key("1")
        await until(lambda: held.keys.status[0].retiring == 1)
        held.endpoint.status = 500

        await until(lambda: held.key_ids() == ["2"])


@pytest.mark.parametrize("text", ["", '{"keys":[]}', "<html>"])
async def test_what_is_no_jwks_changes_nothing(text: str) -> None:
    async with keeping() as held:
        await held.woken.wait()
        held.endpoint.text = lambda: text
        await until(lambda: bool(held.keys.status[0].error))

        assert held.key_ids() == ["1"]


async def test_a_failure_is_told_once_and_so_is_its_end() -> None:
    with capture_logs() as lines:
        async with keeping() as held:
            await held.woken.wait()
            held.endpoint.status = 503
            asked = held.endpoint.asked
            await until(lambda: held.endpoint.asked >= asked + 4)
            assert held.key_ids() == ["1"]
            held.endpoint.status = 200
            await until(lambda: not held.keys.status[0].error)

    events = [line["event"] for line in lines]
    assert (events.count("jwks.not_refreshed"), events.count("jwks.recovered")) == (1, 1)
    assert held.metrics._registry.get_sample_value("alphaswarm_xds_jwks_failures_total") >= 3  # type: ignore[operator]


async def test_until_the_first_keys_come_there_are_none_and_why_is_told() -> None:
    async with keeping(status=503) as held:
        await held.woken.wait()
        with pytest.raises(KeysUnavailable, match=f"issuer {ISSUER}: no keys yet: .*expected status 200, got 503"):
            held.keys.jwks()
        held.endpoint.status = 200
        held.woken.clear()
        await held.woken.wait()

        assert held.key_ids() == ["1"]


async def test_before_it_is_asked_for_nothing_is_fetched() -> None:
    async with jwks_endpoint(lambda: "") as endpoint:
        keys = Keys([issuer(endpoint.url)], Metrics(), refresh_seconds=1, overlap_seconds=1)
        keys.load_files()

        with pytest.raises(KeysUnavailable, match="not fetched yet"):
            keys.jwks()
        assert endpoint.asked == 0


async def test_a_short_life_is_obeyed_up_to_a_point() -> None:
    async with keeping(refresh=3600) as held:
        held.endpoint.headers["Cache-Control"] = "max-age=0"
        await held.woken.wait()
        kept = held.keys._kept[0]

        assert 3 <= kept.delay(asyncio.get_running_loop().time()) <= 5


async def test_keys_in_a_file_are_there_at_once_and_followed(tmp_path: Path) -> None:
    file, idp = tmp_path / "jwks.json", IdentityProvider(key_id="1")
    file.write_text(idp.jwks())
    keys = Keys([issuer(file)], Metrics(), refresh_seconds=0.02, overlap_seconds=60)
    keys.load_files()
    assert key_ids(keys) == ["1"]

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        woken = asyncio.Event()
        task = tasks.create_task(keys.watch(woken.set))
        idp.publish_key("2")
        file.write_text(idp.jwks())
        await woken.wait()
        task.cancel()

    assert key_ids(keys) == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [(None, "cannot read"), ("{", "is not a JWKS"), ('{"keys":[{"kty":"oct","k":"open-sesame"}]}', "symmetric key")],
)
def test_a_file_without_good_keys_is_a_wrong_setting(tmp_path: Path, text: str | None, fault: str) -> None:
    file = tmp_path / "jwks.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(SettingsError, match=f"^AUTH_JWKS_FILE: .*{fault}") as refused:
        Keys([issuer(file)], Metrics(), refresh_seconds=1, overlap_seconds=1).load_files()

    assert str(file) in str(refused.value)
    assert "open-sesame" not in str(refused.value)
