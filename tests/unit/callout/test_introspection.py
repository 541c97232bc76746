"""What an answer of an introspection endpoint means."""

import json
from dataclasses import replace
from math import inf

import pytest

from xds.callout.introspection import Expected, judge
from xds.callout.verdicts import INVALID, Admitted, Refused, Undecided
from xds.names import TenantId

NOW = 1_800_000_000.0
EXPECTED = Expected(audiences=("api", "other"), tenant_claim=("tenant_id",), cell_claim=("cell",))


def answer(**claims: object) -> bytes:
    return json.dumps({"active": True, "tenant_id": "acme", **claims}).encode()


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": NOW + 1},
        {"nbf": NOW},
        {"nbf": NOW - 1, "exp": NOW + 0.5},
        {"aud": "api"},
        {"aud": ["x", "other"]},
        {"token_type": "Bearer"},
        {"token_use": "access"},
        {"cell": None},
    ],
    ids=str,
)
def test_an_active_token_is_its_tenants(claims: dict[str, object]) -> None:
    verdict = judge(answer(**claims), EXPECTED, NOW)

    assert isinstance(verdict, Admitted)
    assert verdict.tenant == "acme"


def test_it_is_so_until_the_token_ends() -> None:
    assert judge(answer(exp=NOW + 7), EXPECTED, NOW) == Admitted(TenantId("acme"), NOW + 7)
    assert judge(answer(), EXPECTED, NOW) == Admitted(TenantId("acme"), inf)


@pytest.mark.parametrize(
    "body",
    [
        b'{"active": false}',
        answer(active=False),
        answer(exp=NOW),
        answer(exp=0),
        answer(nbf=NOW + 1),
        answer(token_type="refresh_token"),
        answer(token_type=None),
        answer(token_use="refresh_token"),
        answer(token_use=["access_token"]),
    ],
    ids=str,
)
def test_a_token_that_is_none_or_not_for_this_is_refused(body: bytes) -> None:
    assert judge(body, EXPECTED, NOW) == INVALID


@pytest.mark.parametrize("audience", ["elsewhere", [], ["elsewhere"], "", {"api": 1}, [["api"]], 7], ids=str)
def test_another_audience_is_refused(audience: object) -> None:
    assert judge(answer(aud=audience), EXPECTED, NOW) == Refused("the token is for another audience", 403)


@pytest.mark.parametrize(
    "tenant",
    ["-", "", "-/cell-shared-std-local", "acme,globex", "a b", "acme\n", "é", "x" * 129, None, 7, True, ["acme"], {}],
    ids=repr,
)
def test_a_reserved_or_malformed_tenant_is_refused(tenant: object) -> None:
    assert judge(answer(tenant_id=tenant), EXPECTED, NOW) == Refused("the token names no tenant", 403)


def test_a_claim_inside_another_is_found_by_its_path() -> None:
    expected = replace(EXPECTED, tenant_claim=("org", "id"))

    assert judge(answer(org={"id": "globex"}), expected, NOW) == Admitted(TenantId("globex"))
    others: list[object] = [{}, {"id": {}}, "globex", None]
    for org in others:
        assert isinstance(judge(answer(org=org), expected, NOW), Refused)


def test_a_token_that_is_bound_to_a_cell_is_refused_unless_that_is_not_looked_at() -> None:
    bound = answer(cell="cell-shared-std-local")

    verdict = judge(bound, EXPECTED, NOW)
    assert isinstance(verdict, Refused)
    assert verdict.status == 403
    assert isinstance(judge(bound, replace(EXPECTED, cell_claim=None), NOW), Admitted)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        b"true",
        b"{}",
        b"[" * 100_000,
        b'{"active": "true", "tenant_id": "acme"}',
        b'{"active": 1, "tenant_id": "acme"}',
        b'{"active": null}',
        answer(exp="tomorrow"),
        answer(exp=True),
        answer(exp=None),
        answer(nbf=[]),
    ],
    ids=lambda body: str(body[:30]),
)
def test_an_answer_that_is_not_as_it_should_be_says_nothing_of_the_token(body: bytes) -> None:
    verdict = judge(body, EXPECTED, NOW)

    assert isinstance(verdict, Undecided)
    assert not verdict.is_outage  # anybody may send the token that is answered so


@pytest.mark.parametrize("end", ["1" + "0" * 400, "1" + "0" * 5000, "1e999", "Infinity"])
def test_an_end_too_far_for_a_number_is_no_end(end: str) -> None:
    assert judge(b'{"active":true,"tenant_id":"acme","exp":%s}' % end.encode(), EXPECTED, NOW) == Admitted(
        TenantId("acme"), inf
    )


def test_an_end_that_is_no_number_at_all_is_past() -> None:
    assert judge(b'{"active":true,"tenant_id":"acme","exp":NaN}', EXPECTED, NOW) == INVALID
