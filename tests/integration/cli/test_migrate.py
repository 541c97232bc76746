"""`alphaswarm-xds migrate`."""

from tests.integration.cli.conftest import Run, run_program
from xds.registry import SCHEMA_REVISION


def test_migrate_says_from_where_to_where(empty_database_url: str) -> None:
    first = run_program(["migrate"], empty_database_url)
    assert (first.status, first.out, first.err) == (0, f"registry schema: none → {SCHEMA_REVISION}\n", "")
    again = run_program(["migrate", "--json"], empty_database_url)
    assert again.json == {"was": SCHEMA_REVISION, "now": SCHEMA_REVISION}


def test_migrate_to_a_revision(xds: Run) -> None:
    assert xds("migrate", "--to", "head").out == f"registry schema is at {SCHEMA_REVISION} already\n"
    unknown = xds("migrate", "--to", "0099")
    assert unknown.status == 1
    assert "cannot migrate to '0099'" in unknown.err
