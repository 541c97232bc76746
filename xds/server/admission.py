"""When a new stream is served: a token bucket, and the end of a stream by age.

Pure: the time and the dice are arguments. Must not know what a stream is.
"""

_JITTER = 0.1


class TokenBucket:
    """Lets `burst` through at once and `rate` a second after, in the order in which they come.

    A token is taken in advance: who must wait is told for how long, so that the order needs no queue.
    """

    def __init__(self, rate: float, burst: int, longest: float) -> None:
        self._rate = rate
        self._burst = burst
        self._longest = longest
        self._tokens = float(burst)
        self._counted_at = 0.0

    def take(self, now: float) -> float | None:
        """How many seconds to wait for one's turn; None, and nothing is taken, if that is longer than allowed."""
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        wait = max(0.0, (1 - self._tokens) / self._rate)
        if wait > self._longest:
            return None
        self._tokens -= 1
        return wait


def age_of_end(age: float, dice: float) -> float | None:
    """How old a stream gets, ±10 %, so that a fleet that came at once doesn't leave at once; None for no end.

    `dice` is between 0 and 1.
    """
    return age * (1 - _JITTER + 2 * _JITTER * dice) if age > 0 else None
