"""What is published, in numbers.

Knows nothing about how it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishStatus:
    """The snapshot in force; `published_at` is None until there is one.

    `cells` counts by state and `resources` by label (cds, eds …). `problems` has a line for each row that
    was left out; `error` is why the latest publish failed, empty if it did not.
    """

    revision: int = 0
    snapshot: int = 0
    published_at: float | None = None
    cells: Mapping[str, int] = field(default_factory=dict)
    tenants: int = 0
    resources: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    error: str = ""
