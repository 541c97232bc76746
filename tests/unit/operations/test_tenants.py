"""What a tenant's id may look like."""

import pytest

from xds.names import PUBLIC_TENANT
from xds.operations.tenants import is_tenant_id


@pytest.mark.parametrize("text", ["a", "0", "A.b_c-d", "x" * 128, "018f2b6e-7c1d-7e9a-b7a7-0d6b1d7f4a11"])
def test_a_plain_header_value_is_an_id(text: str) -> None:
    assert is_tenant_id(text)


@pytest.mark.parametrize("text", [PUBLIC_TENANT, "", "-a", ".a", "a b", "a\n", "a,b", "ä", "٣", "x" * 129])
def test_anything_else_is_none(text: str) -> None:
    assert not is_tenant_id(text)
