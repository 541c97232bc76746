"""What a real Envoy says of a content, as plain values.

Apart from who asks it, which needs Envoy's schema: a second to import.
"""

from dataclasses import dataclass

from xds.names import NodeGroup

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Rejection:
    """A resource that Envoy rejects, in its words; `row` is the registry's row that it comes from, `cell …`, or empty.

    `kind` is the label of its type, cds say; it and `name` are empty if no single resource is at fault.
    """

    group: NodeGroup
    kind: str
    name: str
    row: str
    text: str

    def __str__(self) -> str:
        what = f"{self.kind} {self.name}" if self.kind else f"group {self.group}"
        return f"{what} ({self.row or 'of the settings'}): {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What Envoy says: of what is held, or of the snapshot of this `number`."""

    number: int | None
    digest: str
    rejections: tuple[Rejection, ...]


def refusal(checked: Checked) -> str:
    """Why a snapshot is not to be published, in Envoy's words; empty if it may be."""
    if not checked.rejections:
        return ""
    some = "; ".join(map(str, checked.rejections[:_NAMED]))
    more = f"; and {len(checked.rejections) - _NAMED} more" if len(checked.rejections) > _NAMED else ""
    return f"Envoy rejects {len(checked.rejections)} resources: {some}{more}"
