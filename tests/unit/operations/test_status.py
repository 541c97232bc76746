"""When a replica is ready: a table."""

import dataclasses

import pytest

from xds.model import CellState
from xds.names import CellId
from xds.operations.status import IssuerStatus, PublishStatus, Readiness, RegistryStatus, SystemStatus, readiness

_CONNECTED = RegistryStatus(connected=True, error="", since=90.0)
_LOST = RegistryStatus(connected=False, error="connection refused", since=95.0)
_NEVER = RegistryStatus(connected=False, error="", since=80.0)

_NOTHING = PublishStatus()
_FAILED = PublishStatus(error="scope ann names a route table that is not there")
_EMPTY = PublishStatus(revision=1, snapshot=1, published_at=91.0)
_INACTIVE = PublishStatus(revision=1, snapshot=1, published_at=91.0, cells={"draining": 2, "retired": 1})
_SERVING = PublishStatus(revision=5, snapshot=3, published_at=92.0, cells={"active": 3, "draining": 1})


def _status(registry: RegistryStatus, publish: PublishStatus, *, draining: bool = False) -> SystemStatus:
    return SystemStatus(
        version="0.2.0",
        started_at=80.0,
        now=100.0,
        auth_mode="required",
        cba_mode="enforce",
        draining=draining,
        registry=registry,
        publish=publish,
        cells=((CellId("cell-a"), CellState.ACTIVE),),
    )


@pytest.mark.parametrize(
    ("registry", "publish", "reason"),
    [
        (_NEVER, _NOTHING, "the registry is not loaded: not connected yet"),
        (_LOST, _NOTHING, "the registry is not loaded: connection refused"),
        (_CONNECTED, _NOTHING, "no snapshot is published yet"),
        (_CONNECTED, _FAILED, "no snapshot is published: scope ann names a route table that is not there"),
        (_LOST, _FAILED, "no snapshot is published: scope ann names a route table that is not there"),
        (_CONNECTED, _EMPTY, "no active cell among the registry's 0"),
        (_CONNECTED, _INACTIVE, "no active cell among the registry's 3"),
        (_LOST, _INACTIVE, "no active cell among the registry's 3"),
    ],
)
def test_a_replica_that_cannot_serve_is_not_ready_and_says_why(
    registry: RegistryStatus, publish: PublishStatus, reason: str
) -> None:
    assert readiness(_status(registry, publish)) == Readiness(ready=False, reason=reason, active_cells=0)


@pytest.mark.parametrize("publish", [_SERVING, dataclasses.replace(_SERVING, error="the latest publish failed")])
@pytest.mark.parametrize("registry", [_CONNECTED, _LOST, _NEVER])
def test_a_replica_that_serves_stays_ready_whatever_becomes_of_the_registry(
    registry: RegistryStatus, publish: PublishStatus
) -> None:
    assert readiness(_status(registry, publish)) == Readiness(ready=True, reason="", active_cells=3)


@pytest.mark.parametrize("publish", [_SERVING, _NOTHING, _INACTIVE])
def test_a_draining_replica_is_never_ready(publish: PublishStatus) -> None:
    verdict = readiness(_status(_CONNECTED, publish, draining=True))

    assert not verdict.ready
    assert verdict.reason == "draining: this replica is shutting down"


def test_a_status_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _status(_CONNECTED, _SERVING).draining = True  # type: ignore[misc]  # that it is refused is the point


@pytest.mark.parametrize(
    ("mode", "warnings"),
    [
        ("required", ()),
        ("optional", ("a request needs no token (AUTH_MODE=optional)",)),
        ("off", ("no token is checked (AUTH_MODE=off)",)),
    ],
)
def test_a_mode_in_which_not_every_request_needs_a_token_is_a_warning(mode: str, warnings: tuple[str, ...]) -> None:
    assert dataclasses.replace(_status(_CONNECTED, _SERVING), auth_mode=mode).warnings == warnings


def test_what_the_settings_say_is_a_warning() -> None:
    told = dataclasses.replace(_status(_CONNECTED, _SERVING), settings_warnings=("nobody is an operator",))

    assert told.warnings == ("nobody is an operator",)


def test_keys_that_are_not_refreshed_are_a_warning_and_no_reason_not_to_serve() -> None:
    late = IssuerStatus(issuer="https://idp", keys=1, retiring=0, fetched_at=90.0, error="no answer")
    status = dataclasses.replace(_status(_CONNECTED, _SERVING), issuers=(late,))

    assert status.warnings == ("issuer https://idp: keys not refreshed: no answer",)
    assert readiness(status).ready
