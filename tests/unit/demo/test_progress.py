"""Who is told of what, when parts start."""

import pytest

from xds.demo.progress import Parts


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def began(self, part: str) -> None:
        self.lines.append(f"began {part}")

    def done(self, part: str, seconds: float) -> None:
        assert seconds >= 0
        self.lines.append(f"done {part}")


def test_a_part_is_told_of_twice_and_its_time_kept() -> None:
    told = Told()
    parts = Parts(told)
    with parts.starting("it"):
        assert told.lines == ["began it"]
    assert told.lines == ["began it", "done it"]
    assert set(parts.seconds) == {"it"}


def test_a_part_that_fails_is_not_done() -> None:
    told = Told()
    parts = Parts(told)
    with pytest.raises(ValueError, match="no"), parts.starting("it"):
        raise ValueError("no")
    assert told.lines == ["began it"]
    assert parts.seconds == {}


def test_nobody_need_be_told() -> None:
    parts = Parts(None)
    with parts.starting("it"):
        pass
    assert set(parts.seconds) == {"it"}
