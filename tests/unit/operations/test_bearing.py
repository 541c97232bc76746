"""Whose a token is, and how it is bound: a table."""

import pytest

from tests.support.edge import cell, edge_options, tenant, topology
from xds.names import TenantId
from xds.operations.bearing import Bearer, Binding, Stranger, binding, of_outcome, table_of
from xds.tokens import Reason, Refused, Verified
from xds.translate import translate

ACME = tenant("acme", "cell-a")
PUBLISHED = translate(topology(cell("cell-a"), ACME), edge_options())


def test_a_token_that_holds_is_whose_its_issuer_says() -> None:
    outcome = Verified(issuer="https://idp", claims={}, tenant="acme", cell="cell-a")
    assert of_outcome(outcome) == Bearer(source="https://idp", tenant="acme", cell="cell-a")


@pytest.mark.parametrize("reason", Reason)
def test_another_is_refused_as_envoy_does(reason: Reason) -> None:
    status = 403 if reason is Reason.AUDIENCE else 401
    assert of_outcome(Refused(reason)) == Stranger(status=status, reason=reason.value)


def test_one_whose_subject_no_header_can_carry_is_refused_as_at_the_edge() -> None:
    outcome = Verified(issuer="https://idp", claims={"sub": "a\nb"}, tenant="acme", cell=None)
    assert of_outcome(outcome) == Stranger(status=401, reason="the token has a claim that no header can carry")


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        (None, Binding.NOWHERE),
        ("cell-a", Binding.HERE),
        ("cell-b", Binding.ELSEWHERE),
        ("held", Binding.ELSEWHERE),
        ("", Binding.ELSEWHERE),
    ],
)
def test_a_token_is_bound_to_what_it_names(claimed: str | None, found: Binding) -> None:
    assert binding(Bearer(source="https://idp", tenant="acme", cell=claimed), ACME, PUBLISHED) is found


def test_the_table_is_the_scopes() -> None:
    assert (table_of(PUBLISHED, TenantId("acme")), table_of(PUBLISHED, TenantId("nobody"))) == ("cell-a", "")
