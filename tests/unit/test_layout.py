"""The shape of the code, as the style page has it, enforced.

A failure names the file; move or split the code, or write the test that is missing.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
"""What is refused; the style page's aim is 40."""
NO_NAMES = {"utils", "util", "helpers", "helper", "common", "manager"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef | ast.Module


def _modules() -> list[str]:
    """Every module that a person wrote, as a path below the root."""
    paths = (path.relative_to(ROOT) for path in (ROOT / "xds").rglob("*.py"))
    return sorted(str(path) for path in paths if not path.is_relative_to("xds/proto"))


def _tested_modules() -> list[str]:
    exempt = {"__init__", "__main__"}
    return [path for path in _modules() if Path(path).stem not in exempt and "migrations" not in Path(path).parts]


COVERED = {
    "xds/app.py": "tests/integration/cli/test_serve.py",
    "xds/callout/verdicts.py": "tests/unit/callout/test_introspection.py",
    "xds/cli/canaryoptions.py": "tests/integration/cli/test_canary.py",
    "xds/cli/canarystate.py": "tests/integration/cli/test_canary.py",
    "xds/cli/asking.py": "tests/integration/cli/test_explaining.py",
    "xds/cli/feeding.py": "tests/integration/cli/test_tenants.py",
    "xds/cli/labels.py": "tests/integration/cli/test_cells.py",
    "xds/cli/offline.py": "tests/integration/control/test_emergency.py",
    "xds/cli/output.py": "tests/integration/cli/test_cells.py",
    "xds/control/explanations.py": "tests/integration/control/test_moves.py",
    "xds/control/fleet.py": "tests/integration/server/test_control.py",
    "xds/control/forecasts.py": "tests/integration/control/test_rehearsing.py",
    "xds/control/held.py": "tests/integration/control/test_publishing.py",
    "xds/control/watching.py": "tests/integration/server/test_control.py",
    "xds/model/override.py": "tests/integration/registry/test_overrides.py",
    "xds/operations/auditing.py": "tests/integration/registry/test_auditing.py",
    "xds/operations/checking.py": "tests/integration/cli/test_snapshotcheck.py",
    "xds/operations/emergency.py": "tests/integration/publish/test_emergency.py",
    "xds/operations/explaining.py": "tests/integration/cli/test_explaining.py",
    "xds/operations/fleet.py": "tests/integration/registry/test_rollouts.py",
    "xds/operations/forecast.py": "tests/integration/registry/test_rehearsing.py",
    "xds/operations/forecasting.py": "tests/integration/registry/test_rehearsing.py",
    "xds/operations/importing.py": "tests/integration/registry/test_writing.py",
    "xds/operations/overriding.py": "tests/integration/registry/test_overrides.py",
    "xds/operations/store.py": "tests/integration/registry/test_writing.py",
    "xds/operations/underway.py": "tests/integration/operations/test_draining.py",
    "xds/placementsettings.py": "tests/unit/operations/test_placing.py",
    "xds/publish/measuring.py": "tests/unit/publish/test_publisher.py",
    "xds/publish/evacuation.py": "tests/integration/publish/test_emergency.py",
    "xds/publish/pinning.py": "tests/integration/publish/test_rollouts.py",
    "xds/publish/recording.py": "tests/integration/test_configured.py",
    "xds/publish/rejection.py": "tests/integration/cli/test_snapshotcheck.py",
    "xds/publish/source.py": "tests/integration/registry/test_reading.py",
    "xds/publish/structures.py": "tests/e2e/test_rollout.py",
    "xds/registry/leading.py": "tests/integration/registry/test_snapshots.py",
    "xds/registry/queries.py": "tests/integration/registry/test_reading.py",
    "xds/registry/underway.py": "tests/integration/operations/test_draining.py",
    "xds/settingfaults.py": "tests/unit/test_settings.py",
    "xds/telemetry/status.py": "tests/unit/operations/test_status.py",
}
"""Modules whose tests stand elsewhere: interfaces, plain values, and what only shows through its users."""


def _unit_tests() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "unit").rglob("*.py"))


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _code_lines(function: Function) -> int:
    """Its lines from `def` to the last, without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    is_documented = ast.get_docstring(function, clean=False) is not None
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1) if is_documented else lines


def _sleeps(tree: ast.AST) -> Iterator[int]:
    """The lines that call, or import, something called `sleep`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="sleep") | ast.Name(id="sleep")):
                yield node.lineno
            case ast.ImportFrom(module="time" | "asyncio", names=names) if any(name.name == "sleep" for name in names):
                yield node.lineno


@pytest.mark.parametrize("path", _tested_modules())
def test_every_module_has_a_test_module_at_the_mirrored_place(path: str) -> None:
    module = Path(path)
    place = module.relative_to("xds").with_name(f"test_{module.name}")
    candidates = [Path("tests", kind, place) for kind in ("unit", "integration", "e2e")]
    candidates += [Path(COVERED[path])] if path in COVERED else []

    assert any((ROOT / candidate).is_file() for candidate in candidates), f"expected one of {[*map(str, candidates)]}"


@pytest.mark.parametrize("path", _modules())
def test_no_module_is_longer_than_can_be_read(path: str) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", _modules())
def test_every_function_fits_on_a_screen(path: str) -> None:
    lengths = {f"{each.name} (line {each.lineno})": _code_lines(each) for each in _functions(_tree(path))}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("path", _modules())
def test_every_module_says_what_it_is_responsible_for(path: str) -> None:
    docstring = ast.get_docstring(_tree(path))

    assert docstring
    assert "TODO" not in docstring


@pytest.mark.parametrize("path", _modules())
def test_no_module_or_package_is_a_drawer_for_anything(path: str) -> None:
    assert NO_NAMES.isdisjoint(Path(path).with_suffix("").parts)


@pytest.mark.parametrize("path", [path for path in _modules() if path.endswith("/__init__.py")])
def test_a_package_defines_nothing_in_its_init(path: str) -> None:
    defined = [node.name for node in _tree(path).body if isinstance(node, Function | ast.ClassDef)]

    assert defined == []


@pytest.mark.parametrize("path", _unit_tests())
def test_no_unit_test_sleeps(path: str) -> None:
    assert list(_sleeps(_tree(path))) == []
