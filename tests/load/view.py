"""How a run looks: a live line a scenario on a terminal, elsewhere a line when it begins and one when it is over.

Knows nothing about what is played.
"""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from tests.load.results import Outcome
from tests.load.scenarios import Scenario


class Terminal:
    """Where the run is shown."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._task: TaskID | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[place]} [bold]{task.description}[/bold]"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[line]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def began(self, scenario: Scenario) -> None:
        place = f"{self._done + 1}/{self._total}"
        self._task = self._progress.add_task(scenario.name, total=None, line="", place=place)
        if not self._console.is_terminal:
            self._print(f"{place} {scenario.name}: {scenario.title}")

    def look(self, line: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, line=line)

    def ended(self, outcome: Outcome) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._done += 1
        requests = f"{len(outcome.samples):,} requests, {len(outcome.failed)} failed, {outcome.seconds:.0f} s"
        verdict = Text("pass" if outcome.ok else "FAIL", style="green" if outcome.ok else "bold red")
        self._print(Text.assemble(verdict, f"  {outcome.name:<8} {requests}"))
        if outcome.fault:
            self._print(Text(f"      {outcome.fault}", style="red"))
        for check in outcome.checks:
            if not check.ok:
                self._print(Text(f"      {check.asked}: {check.came}", style="red"))

    def _print(self, line: Text | str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)
