"""Where settings come from, and `alphaswarm-xds settings`."""

from pathlib import Path

from tests.integration.cli.conftest import DOWN, Run, run_program
from xds.settings import Settings


def test_wrong_settings_have_a_line_each_and_end_with_2(database_url: str) -> None:
    ran = run_program(["cells", "list"], database_url, DATABASE_POOL_SIZE="0", HTTP_LISTEN="x")
    assert ran.status == 2
    lines = ran.err.splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["alphaswarm-xds", " DATABASE_POOL_SIZE"],
        ["alphaswarm-xds", " HTTP_LISTEN"],
    ]


def test_settings_come_from_a_file_and_the_environment_wins(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(f"DATABASE_URL={DOWN}\nCBA_MODE=nonsense\n")
    wrong = run_program(["--settings", str(file), "cells", "list"], database_url)
    assert wrong.status == 2
    assert wrong.err.startswith("alphaswarm-xds: CBA_MODE: ")
    file.write_text(f"DATABASE_URL={DOWN}\n")
    assert run_program(["--settings", str(file), "cells", "list", "--json"], database_url).json == {"data": []}
    missing = run_program(["--settings", str(tmp_path / "none"), "cells", "list"], database_url)
    assert (missing.status, missing.err.endswith("no such file\n")) == (2, True)


def test_every_setting_is_listed(xds: Run) -> None:
    listed = xds("settings", "--json").json["data"]
    assert [row["variable"] for row in listed] == [name.upper() for name in Settings.model_fields]
    assert all(row["meaning"] for row in listed)
    defaults = {row["variable"]: row["default"] for row in listed}
    assert defaults["XDS_LISTEN"] == "0.0.0.0:18000"
    assert defaults["EDGE_LISTENERS"] == "alphaswarm-edge=0.0.0.0:10000"
    assert defaults["CBA_MODE"] == "enforce"
    table = xds("settings").out
    assert all(name.upper() in table for name in Settings.model_fields)
