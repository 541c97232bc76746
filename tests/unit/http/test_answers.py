"""How answers look."""

import json

import pytest
from aiohttp import web

from xds.http.answers import busy, json_answer, problem


def document(answer: web.Response) -> dict[str, object]:
    assert isinstance(answer.body, bytes)
    return dict(json.loads(answer.body.decode()))


def test_a_problem_is_as_rfc_9457_has_it() -> None:
    answer = problem(403, "the token lacks the role to read", headers={"X-Y": "z"})
    assert (answer.status, answer.content_type, answer.headers["X-Y"]) == (403, "application/problem+json", "z")
    assert document(answer) == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "the token lacks the role to read",
    }


@pytest.mark.parametrize(("wait", "header"), [(0.01, "1"), (1.0, "1"), (1.01, "2"), (60.0, "60")])
def test_who_has_to_wait_is_told_for_how_many_whole_seconds(wait: float, header: str) -> None:
    assert busy(429, "asked too often", wait).headers["Retry-After"] == header


@pytest.mark.parametrize("text", ["plain", "ä → ü", "\ud800", '"\\\n'])
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert document(json_answer({"text": text})) == {"text": text}


def test_no_answer_is_stored() -> None:
    assert json_answer({}).headers["Cache-Control"] == problem(404, "x").headers["Cache-Control"] == "no-store"
