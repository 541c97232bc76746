"""How each way of asking fared makes one status."""

from itertools import count

from xds.registry.health import Health


def test_nothing_asked_is_not_connected() -> None:
    status = Health(count().__next__).status
    assert not status.connected
    assert status.error == "not asked yet"


def test_one_failing_way_is_enough_to_be_disconnected() -> None:
    health = Health(count().__next__)
    health.succeeded("queries")
    assert health.status.connected
    health.failed("listener", "gone")
    health.succeeded("queries")
    assert not health.status.connected
    assert health.status.error == "gone"
    health.succeeded("listener")
    assert health.status.connected
    assert health.status.error == ""


def test_since_is_when_it_changed_and_not_when_it_was_last_seen() -> None:
    health = Health(count().__next__)
    health.failed("queries", "refused")
    first = health.status.since
    health.failed("queries", "still refused")
    assert health.status.since == first
    assert health.status.error == "still refused"
    health.succeeded("queries")
    connected = health.status.since
    assert connected > first
    health.succeeded("queries")
    assert health.status.since == connected
