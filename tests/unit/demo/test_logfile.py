"""Which line of a log says why."""

from pathlib import Path

import pytest

from xds.demo.logfile import telling_line


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ("x\nFATAL: no\nshut down\n", "FATAL: no"),
        ("Error in what follows:\nValueError: no\nOriginal error was:\n", "ValueError: no"),
        ("error: first\nerror: second\nbye", "error: second"),
        ("[critical] cannot bind '127.0.0.1:1': Address already in use\n[info] exiting\n", None),
    ],
)
def test_the_last_line_that_speaks_of_an_error_else_the_last(tmp_path: Path, log: str, line: str | None) -> None:
    (tmp_path / "log").write_text(log)
    assert telling_line(tmp_path / "log") == (log.splitlines()[0] if line is None else line)


def test_what_stood_there_before_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("error: old\nnew\n")
    assert telling_line(tmp_path / "log", len("error: old\n")) == "new"


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert telling_line(tmp_path / "log") == ""


def test_of_a_long_log_only_the_end_is_read_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"error: far away\n" + b"\xff\n" * 20_000 + b"last\n")
    assert telling_line(tmp_path / "log") == "last"
