"""An issuer's public keys: what of a JWKS is used, and how long a key that was withdrawn is still accepted.

Pure: the time is an argument, in seconds of any clock. A key is its JWK as JSON text with one algorithm, so that equal
keys are equal texts.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from xds.errors import KeysUnusable
from xds.tokens.algorithms import algorithms_of, material

LARGEST_JWKS_BYTES = 256 * 1024
MOST_KEYS = 100
"""Every Envoy holds all of them: more than this is some mistake, or an attempt."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that are accepted: the issuer's present ones, and withdrawn ones with the time at which they end."""

    present: frozenset[str] = frozenset()
    retiring: Mapping[str, float] = field(default_factory=dict)

    @property
    def next_end(self) -> float | None:
        """When the next withdrawn key ends."""
        return min(self.retiring.values(), default=None)

    def jwks(self) -> str:
        """All of them as a JWKS, equal for equal keys."""
        return '{"keys":[' + ",".join(sorted(self.present | self.retiring.keys())) + "]}"

    def replaced_by(self, keys: frozenset[str], now: float, overlap: float) -> "KeySet":
        """With these as the present keys: one that is not among them any more is accepted for `overlap` more."""
        gone = {key: self.retiring.get(key, now + overlap) for key in self.present | self.retiring.keys()}
        return KeySet(keys, {key: end for key, end in gone.items() if key not in keys}).at(now)

    def at(self, now: float) -> "KeySet":
        """Without the keys that have ended."""
        alive = {key: end for key, end in self.retiring.items() if end > now}
        return self if len(alive) == len(self.retiring) else KeySet(self.present, alive)


def parse_jwks(text: bytes, algorithms: Collection[str]) -> frozenset[str]:
    """The keys of a JWKS that signatures can be checked with by one of `algorithms`.

    Others are left out. Raises `KeysUnusable` if none remains, and for a JWKS that holds a private or a symmetric key.
    """
    keys = _keys(text)
    if any(key.get("kty") == "oct" or "d" in key or "k" in key for key in keys):
        raise KeysUnusable("it holds a private or symmetric key, and is sent to every Envoy")
    found: set[str] = set()
    faults: list[str] = []
    for index, key in enumerate(keys):
        try:
            found.update(_usable(key, algorithms))
        except ValueError as error:
            faults.append(f"key {index + 1}: {error}")
    if not found:
        raise KeysUnusable("; ".join(["it holds no key that can be used", *faults[:3]]))
    return frozenset(found)


def _keys(text: bytes) -> list[Mapping[str, object]]:
    if len(text) > LARGEST_JWKS_BYTES:
        raise KeysUnusable(f"it is larger than {LARGEST_JWKS_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise KeysUnusable('it is not a JWKS: expected JSON with "keys"') from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise KeysUnusable('it is not a JWKS: expected JSON with "keys", a list of objects')
    if len(keys) > MOST_KEYS:
        raise KeysUnusable(f"it holds {len(keys)} keys; expected {MOST_KEYS} at most")
    return keys


def _usable(key: Mapping[str, object], allowed: Collection[str]) -> Iterable[str]:
    """The key once for each algorithm, by name: a key that leaves it open Envoy would take for any of its type."""
    if key.get("use", "sig") != "sig":
        raise ValueError("it is not for signatures")
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("it is not for checking signatures")
    possible = [each for each in algorithms_of(key) if key.get("alg", each) == each]
    chosen = [each for each in possible if each in allowed]
    if not chosen:
        raise ValueError(f"algorithm {str(key.get('alg', 'of its type'))[:20]!r} is not among {', '.join(allowed)}")
    public = material(key)
    if isinstance(key.get("kid"), str):
        public["kid"] = str(key["kid"])
    return [json.dumps({**public, "alg": each, "use": "sig"}, sort_keys=True, separators=(",", ":")) for each in chosen]
