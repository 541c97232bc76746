"""The OpenAPI document of the operations, made of their table and of the shapes that requests are checked by.

Pure. Says nothing that the table does not.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from xds import __version__
from xds.control import Operation

Document = dict[str, Any]

_REF = "#/components/schemas/"
_PROBLEM: Document = {
    "type": "object",
    "description": "Why a request is refused: RFC 9457.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_ABOUT = (
    "What operators ask and change. Who may is said by a token of the identity provider with the role `read` or, for"
    " what is no GET, `operate`; this machine itself needs none unless HTTP_AUTH=token. A page has `next` if there is"
    " another: it is the next page's `cursor`. What changes something that is there wants If-Match, with the ETag that"
    " was read, or *."
)
_IF_MATCH: Document = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what is to change, as it was read, or * for whatever it is.",
    "schema": {"type": "string", "pattern": r'^(\*|"[0-9a-f]{32}")$'},
}


def to_openapi(operations: Iterable[Operation[Any, Any]]) -> Document:
    """The document, OpenAPI 3.1."""
    table = tuple(operations)
    shapes = dict.fromkeys((each.request, "validation") for each in table)
    shapes |= dict.fromkeys((each.answer, "serialization") for each in table)
    _, schemas = models_json_schema([*shapes], ref_template=_REF + "{model}")  # type: ignore[list-item]  # literals
    components: Document = {name: _plain(schema) for name, schema in sorted(schemas["$defs"].items())}
    paths: dict[str, Document] = {}
    for each in table:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, components)
    for each in table:
        components.pop(each.request.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "alphaswarm-xds", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "security": [{"token": []}, {}],
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(each: Operation[Any, Any], components: Mapping[str, Document]) -> Document:
    schema = components[each.request.__name__]
    fields: Mapping[str, Document] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    apart = {*each.path_fields, "etag"}
    parameters = [_parameter(name, "path", fields[name], is_required=True) for name in each.path_fields]
    document: Document = {
        "operationId": each.name,
        "summary": each.summary,
        "description": f"Needs the role {each.role}.",
        "tags": [each.path.split("/")[2]],
    }
    if each.method == "GET":
        parameters += [
            _parameter(name, "query", field, is_required=name in required)
            for name, field in fields.items()
            if name not in apart
        ]
    else:
        body = {
            "type": "object",
            "properties": {name: field for name, field in fields.items() if name not in apart},
            "required": sorted(required - apart),
            "additionalProperties": False,
        }
        document["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if each.is_conditional:
        parameters.append(_IF_MATCH)
    return {**document, "parameters": parameters, "responses": _responses(each)}


def _parameter(name: str, place: str, field: Document, *, is_required: bool) -> Document:
    schema = {key: value for key, value in field.items() if key not in ("title", "description", "default")}
    # What a path or a query leaves out is not there: there is no null in either.
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    schema |= kinds[0] if kinds else {}
    told = {"description": field["description"]} if "description" in field else {}
    default = {"default": field["default"]} if field.get("default") is not None else {}
    return {"name": name, "in": place, "required": is_required, **told, "schema": schema | default}


def _responses(each: Operation[Any, Any]) -> Document:
    answered = {
        "description": "Done." if each.method != "GET" else "What was asked for.",
        "content": {"application/json": {"schema": {"$ref": _REF + each.answer.__name__}}},
    }
    if "etag" in each.answer.model_fields:
        answered["headers"] = {"ETag": {"schema": {"type": "string"}}}
    status = HTTPStatus.CREATED if each.creates else HTTPStatus.OK
    return {str(int(status)): answered} | {str(int(refused)): _refusal(refused) for refused in _refusals(each)}


def _refusals(each: Operation[Any, Any]) -> list[HTTPStatus]:
    found = [HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE]
    if each.path_fields or each.method != "GET":
        found.append(HTTPStatus.NOT_FOUND)
    if each.method != "GET":
        found += [
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ]
    if each.compares:
        found.append(HTTPStatus.PRECONDITION_FAILED)
    if each.is_conditional:
        found.append(HTTPStatus.PRECONDITION_REQUIRED)
    return sorted(found)


def _refusal(status: HTTPStatus) -> Document:
    schema = {"$ref": _REF + "Problem"}
    return {"description": status.phrase, "content": {"application/problem+json": {"schema": schema}}}


def _plain(schema: Document) -> Document:
    """Without the titles that say what the names say."""
    return {
        key: _plain(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
