"""Which nodes get a change of structure first: waves, each a choice of nodes, the last one of all.

Pure. A node is in the first wave that chooses it, whichever replica it is connected to and however often it comes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Protocol

from xds.errors import RequestError

_EXPECTED = (
    "expected waves separated by commas, each of them N%, group=…, node=…, region=…, zone=…, label.NAME=… or all,"
    " or several joined by &"
)
_FIELDS = ("group", "node", "region", "zone")


class Chosen(Protocol):
    """What of a node decides about its wave."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def group(self) -> str:
        """Its node group."""
        ...

    @property
    def region(self) -> str:
        """Its region."""
        ...

    @property
    def zone(self) -> str:
        """Its zone."""
        ...

    @property
    def labels(self) -> Mapping[str, str]:
        """The texts of its metadata."""
        ...


@dataclass(frozen=True)
class Waves:
    """Waves as an operator writes them: `node=edge-canary-*, 10%, 50%`. A last one of all follows of itself."""

    text: str
    _terms: tuple[tuple[str, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        waves = [tuple(term.strip() for term in wave.split("&")) for wave in self.text.split(",") if wave.strip()]
        for term in (term for wave in waves for term in wave):
            _check(term)
        if not waves or waves[-1] != ("all",):
            waves.append(("all",))
        object.__setattr__(self, "_terms", tuple(waves))

    @property
    def names(self) -> tuple[str, ...]:
        """Each wave as it was written."""
        return tuple(" & ".join(wave) for wave in self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def wave_of(self, node: Chosen) -> int:
        """The number of the node's wave, counted from 0."""
        return next(number for number, wave in enumerate(self._terms) if all(_matches(term, node) for term in wave))


def _check(term: str) -> None:
    name, equals, value = term.partition("=")
    is_share = term.endswith("%") and _percent(term) is not None
    is_field = bool(equals and value) and (name in _FIELDS or (name.startswith("label.") and len(name) > len("label.")))
    if not (is_share or is_field or term == "all"):
        raise RequestError(f"waves: {_EXPECTED}, got {term!r}")


def _percent(term: str) -> float | None:
    try:
        percent = float(term.removesuffix("%"))
    except ValueError:
        return None
    return percent if 0 < percent <= 100 else None


def _matches(term: str, node: Chosen) -> bool:
    if term == "all":
        return True
    percent = _percent(term)
    if percent is not None:
        return _position(node.id) < percent
    name, _, pattern = term.partition("=")
    if name.startswith("label."):
        return fnmatchcase(node.labels.get(name.removeprefix("label."), ""), pattern)
    values = {"group": node.group, "node": node.id, "region": node.region, "zone": node.zone}
    return fnmatchcase(values[name], pattern)


def _position(node_id: str) -> float:
    """Where a node stands among all, from 0 to 100: the same everywhere and always."""
    return int.from_bytes(blake2b(node_id.encode(), digest_size=8).digest(), "big") / 2**64 * 100
