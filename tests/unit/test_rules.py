"""Every rule of the protocol has a test of its number, or a reason why it has none.

A rule's tests have it in their names: test_rule_07_…, in whatever folder they stand. The rules are those of the xDS
protocol and of what others learned with it, as numbered in XDS_RULES.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
RULES = range(1, 49)

NOT_MET = {
    29: "aliases are for VHDS, which is not served: no resource here has a second name",
}
"""The rules that nothing here obeys, and why."""


def _tests() -> Iterator[str]:
    """The name of every test function."""
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name


def _tested() -> set[int]:
    """The numbers in their names."""
    return {int(number) for name in _tests() for number in re.findall(r"^test_rule_(\d\d)_", name)}


def test_every_rule_has_a_test_or_a_reason() -> None:
    assert sorted(set(RULES) - _tested() - NOT_MET.keys()) == []


def test_no_rule_that_has_a_test_has_a_reason_not_to() -> None:
    assert sorted(_tested() & NOT_MET.keys()) == []


def test_there_are_no_other_rules() -> None:
    assert sorted((_tested() | NOT_MET.keys()) - set(RULES)) == []


def test_a_test_of_a_rule_has_its_number_in_the_one_place_where_it_is_sought() -> None:
    assert [
        name for name in _tests() if re.search(r"rule_?\d", name) and not re.match(r"test_rule_\d\d_\w", name)
    ] == []
