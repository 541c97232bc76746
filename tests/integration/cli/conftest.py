"""Ways to run the program: in this process, quickly, and as a user would."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("alphaswarm-xds")
DOWN = "postgresql://user:s3cret@127.0.0.1:1/alphaswarm"


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def run_program(arguments: Sequence[str], url: str, *, stdin: str = "", **environment: str) -> Ran:
    """Run the installed program in a process of its own."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": url, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def xds(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program's main function on a fresh registry, in this process."""
    from xds.__main__ import main  # noqa: PLC0415

    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return run
