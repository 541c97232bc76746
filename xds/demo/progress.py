"""How the start of a system goes, part by part."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Observer(Protocol):
    """Who is told."""

    def began(self, part: str) -> None:
        """The start of `part` began."""
        ...

    def done(self, part: str, seconds: float) -> None:
        """`part` is there, after so many seconds."""
        ...


class Parts:
    """The parts that are there, each with the time that it took."""

    def __init__(self, observer: Observer | None) -> None:
        self.seconds: dict[str, float] = {}
        self._observer = observer
        self._began: dict[str, float] = {}

    def begin(self, part: str) -> None:
        """The start of `part` begins."""
        self._began[part] = time.perf_counter()
        if self._observer is not None:
            self._observer.began(part)

    def done(self, part: str) -> None:
        """`part` is there."""
        self.seconds[part] = time.perf_counter() - self._began[part]
        if self._observer is not None:
            self._observer.done(part, self.seconds[part])

    @contextmanager
    def starting(self, part: str) -> Iterator[None]:
        """Begin `part`, and have it done unless its start fails."""
        self.begin(part)
        yield
        self.done(part)
