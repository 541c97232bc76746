"""Whether to ask somebody who has failed to answer: not at once, and then one request at a time.

Pure: the time is an argument, in seconds of any clock that never goes back.
"""


class Circuit:
    """Opens after `failures` in a row; every `pause` seconds one request may try, and its success closes it."""

    def __init__(self, *, failures: int, pause: float) -> None:
        self._failures = failures
        self._pause = pause
        self._in_a_row = 0
        self._next_try = 0.0

    @property
    def is_open(self) -> bool:
        """Whether requests are kept from asking."""
        return self._in_a_row >= self._failures

    def may_ask(self, now: float) -> bool:
        """Whether a request may ask; while open, whoever is told so is the one that tries."""
        if not self.is_open:
            return True
        if now < self._next_try:
            return False
        self._next_try = now + self._pause
        return True

    def succeeded(self) -> None:
        """An answer came."""
        self._in_a_row = 0

    def failed(self, now: float) -> None:
        """No answer came. Of a request that was given up by its client neither is said: anybody may give up many."""
        self._in_a_row += 1
        self._next_try = now + self._pause
