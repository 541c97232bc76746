"""A file of session tokens is followed, and the last good table kept."""

import json
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from xds.callout.tokenfile import TokenFile
from xds.errors import SettingsError
from xds.opaque import digest


def row(token: str, tenant: str) -> dict[str, object]:
    return {"sha256": digest(token).hex(), "tenant": tenant, "expires": 2e9}


def write(path: Path, *rows: dict[str, object]) -> None:
    path.write_text(json.dumps(rows))


def overwrite(path: Path, text: str) -> None:
    path.write_text(text)


def remove(path: Path) -> None:
    path.unlink()


def tenant_of(file: TokenFile, token: str) -> str | None:
    found = file.table.find(digest(token), 0)
    return getattr(found, "tenant", None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.json"
    write(path, row("one", "acme"))
    return path


async def test_a_change_is_followed(path: Path) -> None:
    file = TokenFile(path)
    assert tenant_of(file, "one") == "acme"

    write(path, row("one", "globex"), row("two", "hooli"))
    await file.refresh()

    assert (tenant_of(file, "one"), tenant_of(file, "two")) == ("globex", "hooli")


async def test_a_file_put_in_its_place_is_followed(path: Path) -> None:
    file = TokenFile(path)
    other = path.with_name("new.json")
    write(other, row("two", "acme"))
    other.replace(path)  # as Kubernetes, or a careful writer
    await file.refresh()

    assert (tenant_of(file, "one"), tenant_of(file, "two")) == (None, "acme")


async def test_one_that_is_the_same_is_not_read_again(path: Path) -> None:
    file = TokenFile(path)
    table = file.table
    await file.refresh()

    assert file.table is table


@pytest.mark.parametrize("text", ["", "[{", '[{"sha256": "hunter2"}]'])
async def test_a_bad_one_leaves_the_table_as_it_was_and_is_told_once(path: Path, text: str) -> None:
    file = TokenFile(path)
    overwrite(path, text)
    with capture_logs() as logs:
        await file.refresh()
        await file.refresh()

    assert tenant_of(file, "one") == "acme"
    assert [line["event"] for line in logs] == ["callout.tokens_not_read"]
    assert "hunter2" not in str(logs)


async def test_one_that_vanishes_is_told_once_and_one_that_comes_back_is_read(path: Path) -> None:
    file = TokenFile(path)
    remove(path)
    with capture_logs() as logs:
        await file.refresh()
        await file.refresh()
        write(path, row("two", "acme"))
        await file.refresh()

    assert [line["event"] for line in logs] == ["callout.tokens_not_read", "callout.tokens_read"]
    assert tenant_of(file, "two") == "acme"


def test_csv_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text(f"sha256,tenant,expires\n{digest('one').hex()},acme,2e9\n")

    assert tenant_of(TokenFile(path), "one") == "acme"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_first_one_that_is_bad_is_refused_by_the_settings_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tokens.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=f"^CALLOUT_TOKENS_FILE: cannot use {path}: .+"):
        TokenFile(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_first_one_that_may_not_be_read_is_refused(path: Path) -> None:
    path.chmod(0)

    with pytest.raises(SettingsError, match="Permission denied"):
        TokenFile(path)
