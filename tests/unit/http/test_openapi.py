"""The OpenAPI document says what the table says, and is one."""

from typing import Any

import pytest
from openapi_spec_validator import validate

from xds.control import OPERATIONS, Operation
from xds.http.openapi import to_openapi

DOCUMENT = to_openapi(OPERATIONS)
NAMES = [each.name for each in OPERATIONS]


def test_it_is_valid() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


def of(operation: Operation[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_every_field_of_a_request_has_its_one_place(operation: Operation[Any, Any]) -> None:
    told = of(operation)
    places: dict[str, set[str]] = {"path": set(), "query": set(), "header": set()}
    for parameter in told["parameters"]:
        places[parameter["in"]].add(parameter["name"])
    schema = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = set(schema.get("properties", ()))
    assert places["path"] == set(operation.path_fields)
    assert places["header"] == ({"If-Match"} if operation.is_conditional else set())
    fields = {field.alias or name for name, field in operation.request.model_fields.items()}
    assert places["path"] | places["query"] | body == fields - {"etag"}
    assert not (places["query"] and body)
    assert ("requestBody" in told) == (operation.method != "GET")


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_each_says_who_may_and_what_it_answers(operation: Operation[Any, Any]) -> None:
    told = of(operation)
    assert told["operationId"] == operation.name
    assert told["description"] == f"Needs the role {operation.role}."
    assert ("201" if operation.creates else "200") in told["responses"]
    assert ("428" in told["responses"]) == operation.is_conditional
    assert ("412" in told["responses"]) == (operation.is_conditional or operation.name == "Rehearse")
    refusals = [answer for status, answer in told["responses"].items() if status >= "4"]
    assert all(list(each["content"]) == ["application/problem+json"] for each in refusals)


def test_nothing_is_told_that_nothing_refers_to() -> None:
    text = str(DOCUMENT)
    assert [name for name in DOCUMENT["components"]["schemas"] if f"schemas/{name}'" not in text] == []
