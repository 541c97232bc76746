"""What a step of the story claims, and what came: plain values.

Knows neither how the system is asked nor how the result is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.demo.client import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question: what was asked, what had to come, what came."""

    asked: str
    came: str
    ok: bool

    def to_json(self) -> dict[str, object]:
        """As values for JSON."""
        return {"asked": self.asked, "came": self.came, "ok": self.ok}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One claim of the story; it holds if it was checked at all and every check is good."""

    id: str
    title: str
    checks: tuple[Check, ...]
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the claim holds."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, object]:
        """As values for JSON."""
        checks = [check.to_json() for check in self.checks]
        return {"id": self.id, "title": self.title, "ok": self.ok, "checks": checks, "measured": dict(self.measured)}


def arrived(asked: str, answer: Answer, *, tenant: str, cell: str) -> Check:
    """The request reached `cell`, which saw exactly this tenant and this cell in the headers."""
    seen_cell, seen_tenant = answer.saw("x-alphaswarm-cell"), answer.saw("x-alphaswarm-tenant")
    ok = (answer.cell, seen_cell, seen_tenant) == (cell, cell, tenant)
    came = f"{answer.status} from {answer.cell or 'no cell'}, which saw tenant {seen_tenant}, cell {seen_cell}"
    return Check(asked=asked, came=came if answer.cell else refusal(answer), ok=ok)


def refused(asked: str, answer: Answer, *, status: int, as_json: bool = False) -> Check:
    """The request was answered with `status`, with a JSON object if wanted, and by no cell."""
    ok = answer.status == status and "cell" not in answer.body and (bool(answer.body) or not as_json)
    return Check(asked=asked, came=refusal(answer), ok=ok)


def refusal(answer: Answer) -> str:
    """Status and the text, in one short line."""
    text = " ".join(answer.text.split())
    return f"{answer.status} {text[:120]}".rstrip()
