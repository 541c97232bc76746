"""When a check is good: what it takes for an answer to count."""

import json

import pytest

from xds.demo.checks import Check, Step, arrived, refused
from xds.demo.client import Answer

GOOD = Check(asked="a", came="b", ok=True)
BAD = Check(asked="a", came="b", ok=False)


def answered(status: int, body: object) -> Answer:
    return Answer(status=status, text=json.dumps(body), body=body if isinstance(body, dict) else {})


def from_cell(cell: str, **headers: str | list[str]) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answered(200, {"cell": cell, "headers": named})


def is_arrived(answer: Answer) -> bool:
    return arrived("asked", answer, tenant="acme", cell="cell-a").ok


def test_a_request_has_arrived_if_cell_and_headers_agree() -> None:
    assert is_arrived(from_cell("cell-a", x_alphaswarm_cell="cell-a", x_alphaswarm_tenant="acme"))


@pytest.mark.parametrize(
    "answer",
    [
        from_cell("cell-b", x_alphaswarm_cell="cell-a", x_alphaswarm_tenant="acme"),
        from_cell("cell-a", x_alphaswarm_cell="cell-b", x_alphaswarm_tenant="acme"),
        from_cell("cell-a", x_alphaswarm_cell="cell-a", x_alphaswarm_tenant="globex"),
        from_cell("cell-a", x_alphaswarm_cell=["cell-a", "cell-b"], x_alphaswarm_tenant="acme"),
        from_cell("cell-a", x_alphaswarm_cell="cell-a"),
        answered(503, {"cell": "cell-a", "headers": {"x-alphaswarm-cell": "cell-a", "x-alphaswarm-tenant": "acme"}}),
        answered(401, "Jwt is missing"),
    ],
    ids=["other cell", "other header", "other tenant", "two headers", "no tenant", "not 200", "refused"],
)
def test_anything_less_has_not_arrived(answer: Answer) -> None:
    assert not is_arrived(answer)


def test_a_refusal_has_the_status_and_no_cell() -> None:
    assert refused("asked", answered(401, "Jwt is missing"), status=401).ok
    assert not refused("asked", answered(403, "no"), status=401).ok
    assert not refused("asked", answered(401, {"cell": "cell-a"}), status=401).ok


def test_a_refusal_in_json_needs_an_object() -> None:
    assert refused("asked", answered(403, {"error": "unknown tenant"}), status=403, as_json=True).ok
    assert not refused("asked", answered(403, "no"), status=403, as_json=True).ok


def test_what_came_is_one_short_line() -> None:
    long = Answer(status=403, text="a\n  b" + "x" * 500, body={})
    came = refused("asked", long, status=403).came
    assert came.startswith("403 a bxxx")
    assert len(came) < 130


def test_a_step_holds_only_if_every_check_does_and_there_is_one() -> None:
    assert Step(id="s", title="t", checks=(GOOD, GOOD)).ok
    assert not Step(id="s", title="t", checks=(GOOD, BAD)).ok
    assert not Step(id="s", title="t", checks=()).ok


def test_a_step_as_json_has_everything() -> None:
    step = Step(id="s", title="t", checks=(BAD,), measured={"x_ms": 1.5})
    assert step.to_json() == {
        "id": "s",
        "title": "t",
        "ok": False,
        "checks": [{"asked": "a", "came": "b", "ok": False}],
        "measured": {"x_ms": 1.5},
    }
