"""What could not be translated, and why.

A value, not an exception: what has a problem is left out, all else is still pushed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One registry row that is left out of the config."""

    kind: str
    id: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}: {self.text}"
