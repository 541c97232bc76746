"""The cutover's steps by weight, and that the way back is always there."""

import pytest

from xds.errors import RequestError
from xds.operations.canaryplan import plan_canary


@pytest.mark.parametrize(("percent", "step", "following"), [(0, 1, 10), (10, 2, 50), (50, 3, 100), (100, 4, None)])
def test_each_weight_is_a_step_of_the_runbook(percent: int, step: int, following: int | None) -> None:
    plan = plan_canary(percent)
    commands = [command for each in plan.steps for command in each.commands]

    assert plan.state.startswith(f"Step {step}:")
    assert "kubectl -n alphaswarm-edge get pods -l app=alphaswarm-edge" in commands
    assert "kubectl -n alphaswarm-edge get pods -l app=alphaswarm-tenant-router" in commands
    assert any(f"envoy_percent = {following}/" in command for command in commands) == (following is not None)
    assert any("proxy-last-stable" in command for command in commands) == (following is None)


@pytest.mark.parametrize("percent", [10, 50, 100])
def test_there_is_always_a_way_back(percent: int) -> None:
    back = plan_canary(percent).steps[-1]

    assert back.title.startswith("The way back")
    assert "envoy_percent = 0/" in back.commands[0]
    assert back.commands[1] == "alphaswarm deploy terraform plan apply"
    assert "scale deployment alphaswarm-edge --replicas=0" in back.commands[2]


def test_terraform_itself_is_never_called() -> None:
    commands = [command for at in (0, 10, 50, 100) for step in plan_canary(at).steps for command in step.commands]

    assert not [command for command in commands if command.startswith("terraform")]


@pytest.mark.parametrize("percent", [-1, 5, 90, 101])
def test_another_weight_is_refused(percent: int) -> None:
    with pytest.raises(RequestError, match=rf"weight: expected one of 0, 10, 50, 100 .*, got {percent}"):
        plan_canary(percent)
