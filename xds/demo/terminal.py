"""How the demo looks: on a terminal with progress and colours, elsewhere as plain lines.

Knows nothing about how anything is started or checked.
"""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from xds.demo.checks import Step


class Terminal:
    """Where the story is told; also the observer of a stack's start, while entered."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_live = console.is_terminal and not console.is_dumb_terminal
        can_draw = (console.encoding or "").lower().startswith("utf")
        self._good, self._bad = ("✓", "✗") if can_draw else ("ok", "FAILED")
        self._progress = Progress(
            TextColumn(" "),
            SpinnerColumn(finished_text=Text(self._good, style="green")),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self.say("Starting everything on this machine:", style="bold")
        if self._is_live:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_live:
            self._progress.stop()
        if kind is None:
            self.say(f"  up in {time.perf_counter() - self._began:.1f} s")

    def began(self, part: str) -> None:
        """Show that `part` is starting."""
        if self._is_live:
            self._tasks[part] = self._progress.add_task(part, total=1)

    def done(self, part: str, seconds: float) -> None:
        """Show that `part` is there."""
        if self._is_live:
            self._progress.update(self._tasks[part], completed=1, description=f"{part:<36} {seconds:5.2f} s")
        else:
            self.say(f"  {self._good} {part:<36} {seconds:5.2f} s")

    def show(self, step: Step, number: int) -> None:
        """Show a step and its checks."""
        self.say("")
        self.say(f"{number}. {step.title}", style="bold")
        width = max((len(check.asked) for check in step.checks), default=0)
        for check in step.checks:
            line = Text("   ")
            line.append(self._good if check.ok else self._bad, style="green" if check.ok else "bold red")
            line.append(f" {check.asked:<{width}}  ")
            line.append(check.came, style="dim" if check.ok else "bold red")
            self._print(line)

    def say(self, text: str, *, style: str = "") -> None:
        """Print one line as it is, never folded: it may be one to copy."""
        self._print(Text(text, style=style))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)
