"""What operators have decided, in words."""

import pytest

from xds.publish import Mode, Policy


@pytest.mark.parametrize(
    ("policy", "label", "hold"),
    [
        (Policy(), "auto", ""),
        (Policy(mode=Mode.MANUAL), "manual", "manual: waiting to be published"),
        (Policy(is_frozen=True), "frozen", "frozen"),
        (Policy(is_frozen=True, mode=Mode.MANUAL), "frozen", "frozen"),
        (Policy(pinned=7), "pinned", "pinned to snapshot 7"),
        (Policy(pinned=7, is_frozen=True, mode=Mode.MANUAL), "pinned", "pinned to snapshot 7"),
    ],
)
def test_the_strictest_decision_is_the_one_that_is_told(policy: Policy, label: str, hold: str) -> None:
    assert (policy.label, policy.hold) == (label, hold)
    assert policy.stop == (hold if policy.label != "manual" else ""), "a rollout goes on in manual mode"


def test_an_approval_alone_holds_nothing() -> None:
    assert Policy(approved="d", by="ann", message="why", at=1.0).hold == ""
