"""The edge's options as text."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from functools import partial
from typing import Any

import pytest

from tests.support.edge import GROUP, INTERNAL, edge_options
from xds.names import CellId, NodeGroup, TenantId
from xds.publish.structure import options_of, structure_of
from xds.translate import CalloutOptions, CanaryOptions, EdgeOptions, OperatorOptions

WHOLE = edge_options(
    jwks="",
    client=("client", 3000),
    callout=CalloutOptions(address=("router", 18000)),
    operators=OperatorOptions(controller=("controller", 8000)),
    internal=INTERNAL,
)
WHOLE = replace(
    WHOLE,
    canary=CanaryOptions(legacy=("legacy", 80), cells={CellId("cell-a"): 10}, tenants={TenantId("acme"): True}),
    observation=replace(WHOLE.observation, collector=("collector", 4317)),
)
AUTH = replace(WHOLE.auth, anonymous_tenant=TenantId("nobody"), websocket_origins=("https://app.example",))
WHOLE = replace(WHOLE, grpc_group=NodeGroup("grpc"), auth=AUTH)
"""Every option that may be left out is there."""

Make = Callable[[Any], EdgeOptions]


def _fields(value: Any, make: Make, path: str) -> Iterator[tuple[str, Any, Make]]:
    """Every plain option, however deep it stands, and how the options are made with another."""
    for each in dataclasses.fields(value):
        held, name = getattr(value, each.name), f"{path}.{each.name}"

        def instead(other: Any, name: str = each.name) -> EdgeOptions:
            return make(replace(value, **{name: other}))

        if name == "edge.auth.issuers":
            yield from _fields(held[0], partial(_only, instead), name)
        elif dataclasses.is_dataclass(held):
            yield from _fields(held, instead, name)
        elif each.name != "jwks":
            yield name, held, instead


def _only(make: Make, other: Any) -> EdgeOptions:
    return make((other,))


def _another(held: Any) -> Any:  # noqa: PLR0911 -- one for each kind
    """A value of the same kind that is not this one."""
    match held:
        case bool():
            return not held
        case Enum():
            # Not the last one: with no token looked at, keys and issuers are none.
            return next(each for each in type(held) if each is not held)
        case int() | float():
            return held + 1
        case str():
            return f"{held}x"
        case timedelta():
            return held + timedelta(milliseconds=1500)
        case tuple() if held and isinstance(held[-1], int):
            return (*held[:-1], held[-1] + 1)
        case tuple():
            return (*held, "another")
        case dict():
            return {**held, "another": next(iter(held.values()))}
    raise AssertionError(f"no other value for {held!r}")


OPTIONS = list(_fields(WHOLE, lambda whole: whole, "edge"))


def test_every_option_is_looked_at() -> None:
    names = {name for name, _, _ in OPTIONS}

    assert len(names) > 50
    assert {"edge.listeners", "edge.auth.mode", "edge.auth.issuers.cell_claim", "edge.cluster.retries"} <= names


@pytest.mark.parametrize(("name", "held", "make"), OPTIONS, ids=[name for name, _, _ in OPTIONS])
def test_an_option_is_read_back_and_another_value_is_another_text(name: str, held: Any, make: Make) -> None:
    changed = make(_another(held))

    assert changed != WHOLE, name
    assert options_of(structure_of(changed)) == changed
    assert structure_of(changed) != structure_of(WHOLE)


def test_options_that_are_left_out_are_read_back() -> None:
    bare = edge_options(jwks="")

    assert options_of(structure_of(bare)) == bare
    assert options_of(structure_of(WHOLE)) == WHOLE
    assert structure_of(edge_options(jwks="")) == structure_of(bare)


def test_keys_are_no_part_of_it() -> None:
    one, two = edge_options(jwks="one"), edge_options(jwks="two")

    assert structure_of(one) == structure_of(two)
    assert "one" not in structure_of(one).replace("None", "")
    assert options_of(structure_of(one)) == edge_options(jwks="")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "not json",
        structure_of(WHOLE)[:-1],
        structure_of(WHOLE).replace('"required"', '"perhaps"'),
        structure_of(WHOLE).replace(f'"{GROUP}":["127.0.0.1",10000]', f'"{GROUP}":["127.0.0.1","x"]'),
    ],
)
def test_what_another_version_wrote_is_none(text: str) -> None:
    assert options_of(text) is None
