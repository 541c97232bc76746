"""The translation as a reader sees it: topologies in, Envoy's config out.

`pytest --update-golden` rewrites the files; their difference is reviewed like code.
"""

import difflib
from collections.abc import Mapping

import pytest

from tests.golden.cases import CASES, FOLDER, rendered, translated


def differences(case: str, files: Mapping[str, str]) -> str:
    """A unified diff from the files as they are to what they should be; empty if they agree."""
    lines: list[str] = []
    for name, text in files.items():
        path = FOLDER / case / f"{name}.yaml"
        held = path.read_text(encoding="utf-8") if path.exists() else ""
        lines += difflib.unified_diff(
            held.splitlines(keepends=True), text.splitlines(keepends=True), f"golden/{case}/{name}.yaml", "translation"
        )
    return "".join(lines)


def test_there_are_golden_cases() -> None:
    assert len(CASES) >= 6


@pytest.mark.parametrize("case", CASES)
def test_a_golden_topology_becomes_its_golden_config(case: str, update_golden: bool) -> None:
    files = rendered(translated(case))
    if update_golden:
        for name, text in files.items():
            (FOLDER / case / f"{name}.yaml").write_text(text, encoding="utf-8")

    difference = differences(case, files)

    assert not difference, f"\n{difference}\nIf this is meant: pytest {__file__} --update-golden, and read the diff."


def test_a_golden_difference_is_shown_line_by_line() -> None:
    case = CASES[0]
    files = rendered(translated(case))
    files["clusters"] = files["clusters"].replace("connect_timeout: 1s", "connect_timeout: 2s")

    difference = differences(case, files)

    assert "-  connect_timeout: 1s\n+  connect_timeout: 2s\n" in difference
    assert "+++ translation" in difference
