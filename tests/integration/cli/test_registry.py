"""What every command says of a registry that it can't use."""

import pytest

from tests.integration.cli.conftest import DOWN, run_program
from xds.registry import SCHEMA_REVISION


def test_a_command_on_a_database_without_our_schema_says_what_to_run(empty_database_url: str) -> None:
    ran = run_program(["cells", "list"], empty_database_url)
    assert ran.status == 1
    needs = f"is at no revision, this version needs {SCHEMA_REVISION}: run 'alphaswarm-xds migrate'"
    assert ran.err.endswith(needs + "\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["migrate"], ["cells", "list"], ["tenants", "move", "a", "--to", "cell-b"]])
def test_a_database_that_is_down_is_one_line_without_the_password(arguments: list[str]) -> None:
    ran = run_program(arguments, DOWN)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "alphaswarm-xds: registry 127.0.0.1:1/alphaswarm: cannot be reached: connection refused\n"
