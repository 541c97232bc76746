"""Whether a token is good in a cell: a table, for each mode."""

import json
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.support.edge import cell, tenant, topology
from xds.model import TenantState
from xds.names import CellId
from xds.operations.validating import Validation, validate
from xds.settings import CbaMode
from xds.tokens import TrustedIssuer, Verifier

KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = json.dumps({"keys": [ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)]})
VERIFIER = Verifier([TrustedIssuer(issuer="https://idp", audiences=("api",), jwks=JWKS)])
NOW = 1_800_000_000
A = CellId("cell-a")
HERE = topology(
    cell("cell-a"),
    cell("cell-b"),
    tenant("acme", "cell-a"),
    tenant("globex", "cell-a", suspended=True),
    replace(tenant("mover", "cell-a"), state=TenantState.MOVING),
    tenant("x"),
)


def asked(bound: CbaMode = CbaMode.ENFORCE, where: str = "cell-a", **claims: object) -> Validation:
    good = {"iss": "https://idp", "aud": "api", "exp": NOW + 300, "tenant_id": "acme"}
    token = jwt.encode(good | claims, KEY, algorithm="ES256")
    return validate(VERIFIER, HERE, bound, token=token, cell=CellId(where), now=NOW)


@pytest.mark.parametrize("bound", CbaMode)
def test_a_tenants_token_is_good_where_the_tenant_lives_in_every_mode(bound: CbaMode) -> None:
    assert asked(bound) == Validation(allowed=True, reason="the tenant lives in this cell", tenant="acme", cell=A)
    reason = "the tenant lives in this cell, to which the token is bound"
    assert asked(bound, cell="cell-a") == replace(asked(bound), reason=asked(bound, cell="cell-a").reason)
    if bound is not CbaMode.OFF:
        assert asked(bound, cell="cell-a").reason == reason


@pytest.mark.parametrize(
    ("bound", "allowed", "words"),
    [
        (CbaMode.ENFORCE, False, "the token is bound to another cell"),
        (CbaMode.MONITOR, True, "the token is bound to another, which CBA_MODE=monitor lets through"),
        (CbaMode.OFF, True, "the tenant lives in this cell"),
    ],
)
@pytest.mark.parametrize("claim", ["cell-b", 7, ["cell-a"]])
def test_a_token_bound_elsewhere_is_treated_as_the_edge_treats_it(
    bound: CbaMode, allowed: bool, words: str, claim: object
) -> None:
    outcome = asked(bound, cell=claim)
    assert outcome.allowed is allowed
    assert words in outcome.reason


@pytest.mark.parametrize("bound", CbaMode)
@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"tenant_id": "nobody"}, "the tenant is unknown"),
        ({"tenant_id": "-"}, "the tenant is unknown"),
        ({"tenant_id": ["acme"]}, "the token names no tenant"),
        ({"tenant_id": "globex"}, "the tenant is suspended"),
        ({"tenant_id": "x"}, "the tenant does not live in this cell"),
        ({"tenant_id": "x", "cell": "cell-a"}, "the tenant does not live in this cell"),
    ],
)
def test_no_mode_lets_in_who_is_not_the_cells(bound: CbaMode, claims: dict[str, object], reason: str) -> None:
    outcome = asked(bound, "cell-a", **claims)
    assert (outcome.allowed, outcome.reason) == (False, reason)


def test_a_token_that_does_not_hold_tells_nothing_but_why() -> None:
    outcome = asked(exp=NOW - 3600)
    assert outcome == Validation(allowed=False, reason="the token has expired", tenant="", cell=A)


def test_where_a_tenant_lives_is_never_told() -> None:
    outcome = asked(where="cell-b")
    assert not outcome.allowed
    assert "cell-a" not in repr(outcome)
    assert asked(where="no such cell").reason == outcome.reason


def test_a_tenant_that_is_being_moved_is_let_in_as_the_edge_does() -> None:
    assert asked(tenant_id="mover").allowed
    assert asked(tenant_id="globex").reason == "the tenant is suspended"
