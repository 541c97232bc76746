"""Every command's help says what it does, and every one that tells something tells it as JSON, run for real."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.integration.cli.conftest import Run
from tests.integration.cli.test_fleet import FULL, told
from tests.integration.cli.test_rollout import PUT, Sql
from tests.integration.cli.test_rollout import sql as sql  # the fixture
from tests.integration.cli.test_snapshotcheck import GOOD, publish
from tests.integration.registry.test_snapshots import content
from xds.cli import COMMANDS, program

NO_JSON = {("serve",), ("bootstrap",)}
"""What serves, or prints a file."""

ELSEWHERE = {
    ("demo",): "tests/e2e/test_demo.py",
    ("canary", "check"): "tests/integration/cli/test_canary.py",
    ("canary", "watch"): "tests/integration/cli/test_canary.py",
}
"""What needs more than a database: the modules that parse its JSON."""

SCRIPT = """
migrate
settings
cells add cell-a --state active
cells add cell-b --state active
cells list
cells change cell-b --label rack=4
cells set-capacity cell-b 100
cells set-endpoints cell-b --endpoint 10.0.0.1:80
cells cordon cell-b
cells uncordon cell-b
cells set-state cell-b draining
cells set-state cell-b active
tenants add acme --cell cell-a
tenants import FILE
tenants list
tenants set-state acme suspended
tenants set-state acme active
tenants move acme --to cell-b
tenants move acme --to cell-a --hold
tenants moves
tenants abort-move acme
tenants override set acme --cell cell-b --expires 1h --reason x
tenants override list
tenants override clear acme
tenants explain acme
cells drain cell-a --to cell-b --pause 0 --yes
cells undrain cell-a
cells evacuate cell-a --to cell-b --yes
cells retire cell-a --yes
keys create acme --name script
keys list
keys revoke KEY
audit list
snapshot list
snapshot show
snapshot check
snapshot diff
snapshot publish --yes --no-wait
snapshot pin --no-wait
snapshot freeze --no-wait
snapshot rollback 1 --yes --no-wait
snapshot resume --yes --no-wait
snapshot mode auto --no-wait
rollout list
rollout start --yes
rollout abort
rollout watch
fleet status
fleet node edge-1
canary plan --weight 10
"""
"""Each line after those above it, with --json."""

STATUS = {"snapshot diff": 1, "rollout watch": 1}
"""Something differs; a rollout that was aborted has stopped."""


def _tree(words: tuple[str, ...], command: click.Command | None) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    assert command is not None
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _tree((*words, name), command.get_command(context, name))


ALL = dict(each for name in COMMANDS for each in _tree((name,), program.get_command(click.Context(program), name)))
LEAVES = {words for words, command in ALL.items() if not isinstance(command, click.Group)}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help(xds: Run, words: tuple[str, ...]) -> None:
    ran = xds(*words, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: alphaswarm-xds {' '.join(words)}")
    said = ran.out.split("\n\n")[1].strip()
    assert said[0].isupper(), said
    assert not said.startswith("Options:"), "what it does is said first"
    assert ("--json" in ran.out) == (words in LEAVES - NO_JSON)


def test_no_command_is_forgotten() -> None:
    ran = {words for words in LEAVES for line in SCRIPT.splitlines() if tuple(line.split()[: len(words)]) == words}
    assert ran | ELSEWHERE.keys() == LEAVES - NO_JSON
    assert all("--json" in Path(module).read_text(encoding="utf-8") for module in ELSEWHERE.values())


def test_every_answer_is_json(xds: Run, database_url: str, sql: Sql, tmp_path: Path) -> None:
    publish(database_url, GOOD, held=content("acme", "b"))
    sql(PUT, "pending", "")
    told(database_url, FULL)
    file, key = tmp_path / "tenants.csv", ""
    file.write_text("tenant,cell\nb,cell-a\n")
    for line in SCRIPT.split("\n")[1:-1]:
        given = [{"FILE": str(file), "KEY": key}.get(word, word) for word in line.split()]
        ran = xds(*given, "--json")
        assert ran.status == STATUS.get(line, 0), (line, ran)
        answer = json.loads(ran.out)
        assert isinstance(answer, dict), line
        if line.startswith("keys create"):
            key = answer["id"]
