"""Times and durations as a person writes them."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from xds.cli.times import future, past, seconds

CONTEXT = click.Context(click.Command("x"))
PARAMETER = click.Option(["--x"])


@pytest.mark.parametrize(
    ("text", "expected"), [("2s", 2), ("0", 0), ("1.5", 1.5), ("0.5s", 0.5), ("5m", 300), ("1d", 86400)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(CONTEXT, PARAMETER, text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-1s", "2 s", "1e3s", "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a duration such as 2s or 5m"):
        seconds(CONTEXT, PARAMETER, text)


def test_the_same_words_mean_forward_and_back() -> None:
    now = datetime.now(UTC)
    ahead, ago = future(CONTEXT, PARAMETER, "2h"), past(CONTEXT, PARAMETER, "2h")
    assert ago is not None
    assert abs(ahead - now - timedelta(hours=2)) < timedelta(minutes=1)
    assert abs(now - ago - timedelta(hours=2)) < timedelta(minutes=1)
    assert past(CONTEXT, PARAMETER, None) is None
    assert past(CONTEXT, PARAMETER, "2027-01-31") == datetime(2027, 1, 31, tzinfo=UTC)
