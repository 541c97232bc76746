"""Which claims are which role."""

import pytest

from xds.operations.operators import Role, RoleNames
from xds.tokens import Verified

NAMES = RoleNames(claim="realm.roles", read="xds-read", operate="xds-operate")


def token(roles: object) -> Verified:
    return Verified(issuer="i", claims={"realm": {"roles": roles}}, tenant="", cell=None)


@pytest.mark.parametrize(
    ("roles", "reads", "operates"),
    [
        (["xds-read"], True, False),
        (["xds-operate"], True, True),
        ("openid xds-read", True, False),
        ("xds-operate", True, True),
        (["read", "operate"], False, False),
        ("xds-reader", False, False),
        (["xds-read xds-operate"], False, False),
        ([["xds-read"]], False, False),
        ({"xds-read": True}, False, False),
        (True, False, False),
        (None, False, False),
        ([], False, False),
    ],
)
def test_a_role_is_a_word_of_its_own_and_operating_includes_reading(roles: object, reads: bool, operates: bool) -> None:
    assert (NAMES.has(token(roles), Role.READ), NAMES.has(token(roles), Role.OPERATE)) == (reads, operates)


def test_a_token_without_the_claim_has_no_role() -> None:
    nobody = Verified(issuer="i", claims={"roles": ["xds-read"]}, tenant="", cell=None)
    assert not NAMES.has(nobody, Role.READ)
    assert RoleNames(read="xds-read").has(nobody, Role.READ)
