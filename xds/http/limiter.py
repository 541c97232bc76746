"""How often somebody may ask: a token bucket each, for a bounded number of them.

Pure: the time is an argument, in seconds of any clock.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

_MOST = 10_000
"""Askers remembered. Who is forgotten, the longest silent first, starts with a full bucket."""


class RateLimiter:
    """Lets each asker through `burst` times at once, and `rate` times a second after."""

    def __init__(self, rate: float, burst: int, most: int = _MOST) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, asker: str, now: float) -> float:
        """0 if `asker` may go on; else after how many seconds it is worth another try, and nothing is taken."""
        tokens, counted_at = self._buckets.pop(asker, (float(self._burst), now))
        tokens = min(self._burst, tokens + max(0.0, now - counted_at) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[asker] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._buckets)


def asker_at(address: str | None) -> str:
    """Who asks from `address`: an IPv4 address, or an IPv6 network of 64 bits, since one host may have all of it."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else parsed)
