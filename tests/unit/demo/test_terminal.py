"""How the story looks where there is no terminal, and where there is one."""

import io

from rich.console import Console

from xds.demo.checks import Check, Step
from xds.demo.terminal import Terminal

STEP = Step(
    id="s",
    title="A claim",
    checks=(Check(asked="one", came="200 [bold]x[/]", ok=True), Check(asked="three", came="y" * 200, ok=False)),
)


def told(*, encoding: str = "utf-8", terminal: bool = False) -> str:
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding, write_through=True)
    observer = Terminal(Console(file=file, force_terminal=terminal, _environ={"TERM": "xterm"}, width=80))
    with observer:
        observer.began("part")
        observer.done("part", 1.234)
    observer.show(STEP, 1)
    return buffer.getvalue().decode(encoding)


def test_elsewhere_than_on_a_terminal_there_are_plain_lines() -> None:
    lines = told().splitlines()
    assert f"  ✓ {'part':<36}  1.23 s" in lines
    assert "   ✓ one    200 [bold]x[/]" in lines
    assert "\x1b" not in "".join(lines)


def test_no_line_is_folded_since_it_may_be_one_to_copy() -> None:
    assert f"   ✗ three  {'y' * 200}" in told().splitlines()


def test_where_ticks_cannot_be_written_there_are_words() -> None:
    lines = told(encoding="ascii").splitlines()
    assert "   ok one    200 [bold]x[/]" in lines
    assert any(line.startswith("   FAILED three") for line in lines)


def test_on_a_terminal_there_is_progress() -> None:
    text = told(terminal=True)
    assert "\x1b[" in text
    assert "part" in text
    assert "1.23 s" in text
