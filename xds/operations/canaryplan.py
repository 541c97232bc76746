"""The cutover's steps: where it stands by its weights, what to do next, and the way back.

Pure; the commands are those of the runbook.
"""

from dataclasses import dataclass
from enum import Enum

from xds.errors import RequestError

VARIABLE = "envoy_percent"
"""The variable of `deployments/cloudflare/alphaswarm_load_balancer.tf`."""

_TFVARS = "deployments/cloudflare/terraform.tfvars"
_APPLY = "alphaswarm deploy terraform plan apply"
_LEGACY = "ghcr.io/julianwiley/alphaswarm-client"
_DRAINED = "kubectl -n alphaswarm-edge scale deployment alphaswarm-edge --replicas=0"
_PODS = (
    "kubectl -n alphaswarm-edge get pods -l app=alphaswarm-edge",
    "kubectl -n alphaswarm-edge get pods -l app=alphaswarm-tenant-router",
)


class Phase(Enum):
    """The runbook's steps that a weight stands for."""

    PARALLEL = 0
    CANARY = 10
    HALF = 50
    ALL = 100


_TITLES = {
    Phase.PARALLEL: "Step 1: deployed in parallel; no user traffic goes to the edge",
    Phase.CANARY: "Step 2: canary, 10 % of the traffic goes to the edge",
    Phase.HALF: "Step 3: 50 % of the traffic goes to the edge",
    Phase.ALL: "Step 4: all traffic goes to the edge; the legacy proxy runs on for 7 days as the safety net",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and the commands that do it."""

    title: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the cutover stands, and what comes."""

    percent: int
    state: str
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, object]:
        """The plan for scripts."""
        steps = [{"title": step.title, "commands": list(step.commands)} for step in self.steps]
        return {"percent": self.percent, "state": self.state, "steps": steps}


def plan_canary(percent: int) -> Plan:
    """The plan at this share of traffic; raises `RequestError` for one that is none of the runbook's."""
    try:
        phase = Phase(percent)
    except ValueError:
        shares = ", ".join(str(each.value) for each in Phase)
        raise RequestError(f"weight: expected one of {shares} (percent that go to the edge), got {percent}") from None
    steps = [Step("Check what is running", (*_PODS, _check(phase))), _next(phase)]
    if phase is not Phase.PARALLEL:
        steps.append(_back())
    return Plan(percent, _TITLES[phase], tuple(steps))


def _check(phase: Phase) -> str:
    if phase is Phase.PARALLEL:
        return (
            "curl -sS http://127.0.0.1:18080/readyz    # kubectl port-forward svc/alphaswarm-tenant-router 18080:8080"
        )
    return _watch("<when this weight was applied>")


def _watch(since: str) -> str:
    return f"alphaswarm-xds canary watch --since {since} --for 10m --ready <each router's URL> --prometheus <URL>"


def _next(phase: Phase) -> Step:
    if phase is Phase.ALL:
        return Step(
            "Next: after 7 days without a stop, step 5, the removal of the legacy proxy",
            (f"docker buildx imagetools create --tag {_LEGACY}:proxy-last-stable {_LEGACY}:<the tag that runs>",),
        )
    following = {Phase.PARALLEL: Phase.CANARY, Phase.CANARY: Phase.HALF, Phase.HALF: Phase.ALL}[phase]
    return Step(
        f"Next, if the check says go: {following.value} % to the edge",
        (
            _set(following),
            _APPLY,
            _watch('"$(date -u +%FT%TZ)"'),
        ),
    )


def _back() -> Step:
    return Step(
        "The way back, at any time: all traffic to the legacy proxy, at once",
        (
            _set(Phase.PARALLEL),
            _APPLY,
            f"{_DRAINED}    # if DNS may still point there",
        ),
    )


def _set(phase: Phase) -> str:
    return f"sed -i 's/^{VARIABLE} *=.*/{VARIABLE} = {phase.value}/' {_TFVARS}"
