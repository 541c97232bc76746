"""`alphaswarm-xds migrate`."""

from tests.integration.cli.conftest import Run, run_program


def test_migrate_says_from_where_to_where(empty_database_url: str) -> None:
    first = run_program(["migrate"], empty_database_url)
    assert (first.status, first.out, first.err) == (0, "registry schema: none → 0002_tenants\n", "")
    again = run_program(["migrate", "--json"], empty_database_url)
    assert again.json == {"was": "0002_tenants", "now": "0002_tenants"}


def test_migrate_to_a_revision(xds: Run) -> None:
    assert xds("migrate", "--to", "0002_tenants").out == "registry schema is at 0002_tenants already\n"
    unknown = xds("migrate", "--to", "0099")
    assert unknown.status == 1
    assert "cannot migrate to '0099'" in unknown.err
