"""What comes of asking a real server for a JWKS, and how each failure reads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.issuing import JwksEndpoint, jwks_endpoint
from xds.errors import KeysUnavailable
from xds.tokens.fetching import Fetched, fetch, new_session

TEXT = '{"keys":[]}'


@pytest.fixture
async def endpoint() -> AsyncIterator[JwksEndpoint]:
    async with jwks_endpoint(lambda: TEXT) as served:
        yield served


async def fetched(source: str | Path) -> Fetched:
    async with new_session() as session:
        return await fetch(session, source)


async def test_a_url_gives_its_text(endpoint: JwksEndpoint) -> None:
    assert await fetched(endpoint.url) == Fetched(TEXT.encode())


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("public, max-age=300", 300), ("MAX-AGE = 5", 5), ("s-maxage=7", None), ("no-store", None), ("max-age=x", None)],
)
async def test_it_says_for_how_long_it_is_good(endpoint: JwksEndpoint, said: str, seconds: float | None) -> None:
    endpoint.headers["Cache-Control"] = said

    assert (await fetched(endpoint.url)).max_age == seconds


@pytest.mark.parametrize("status", [204, 302, 404, 500])
async def test_another_answer_is_none_and_no_redirect_is_followed(endpoint: JwksEndpoint, status: int) -> None:
    endpoint.status = status
    endpoint.headers["Location"] = endpoint.url

    with pytest.raises(KeysUnavailable, match=f"/jwks: expected status 200, got {status}"):
        await fetched(endpoint.url)
    assert endpoint.asked == 1


async def test_too_much_is_not_read_to_its_end() -> None:
    async with jwks_endpoint(lambda: " " * 300_000) as large:
        with pytest.raises(KeysUnavailable, match="larger than 262144 bytes"):
            await fetched(large.url)


async def test_nobody_there_is_one_line() -> None:
    with pytest.raises(KeysUnavailable, match=r"http://127.0.0.1:1/jwks: .*onnect") as refused:
        await fetched("http://127.0.0.1:1/jwks")
    assert "\n" not in str(refused.value)


async def test_a_file_gives_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text(TEXT)

    assert await fetched(tmp_path / "jwks.json") == Fetched(TEXT.encode())


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable, match=f"cannot read {tmp_path}: Is a directory"):
        await fetched(tmp_path)
