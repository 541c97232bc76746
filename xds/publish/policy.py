"""What may be published without asking, and whether what is to be published may be.

Pure: the caller says what is recorded and what is wanted.
"""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """Whether changes are published as they come, or an operator publishes them."""

    AUTO = "auto"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What operators have decided, the same for every replica.

    `is_frozen`: nothing is published. `pinned`: the content of that snapshot is served, whatever the registry says.
    `approved` is the digest of the content that an operator has seen and wants published. `by`, `message` and `at`
    (seconds since the epoch) tell of the latest decision.
    """

    mode: Mode = Mode.AUTO
    is_frozen: bool = False
    pinned: int | None = None
    approved: str = ""
    by: str = ""
    message: str = ""
    at: float = 0.0

    @property
    def stop(self) -> str:
        """Why nothing is published, nor rolled out, whoever approves of it; empty if something may be."""
        if self.pinned is not None:
            return f"pinned to snapshot {self.pinned}"
        return "frozen" if self.is_frozen else ""

    @property
    def hold(self) -> str:
        """Why changes are not published as they come; empty if they are. In manual mode a rollout goes on."""
        return self.stop or ("manual: waiting to be published" if self.mode is Mode.MANUAL else "")

    @property
    def label(self) -> str:
        """One word: auto, manual, frozen or pinned."""
        if self.pinned is not None:
            return "pinned"
        return "frozen" if self.is_frozen else self.mode.value
