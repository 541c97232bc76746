"""Tenants are values."""

import dataclasses

import pytest

from xds.model import Arrival, Tenant, TenantState
from xds.names import CellId, TenantId


def test_a_new_tenant_is_active() -> None:
    assert Tenant(TenantId("t"), CellId("cell-a")).state is TenantState.ACTIVE


def test_a_tenant_is_immutable_and_equal_by_value() -> None:
    tenant = Tenant(TenantId("t"), CellId("cell-a"))

    assert tenant == Tenant(TenantId("t"), CellId("cell-a"))
    assert tenant != Tenant(TenantId("t"), CellId("cell-b"))
    assert tenant != dataclasses.replace(tenant, arrival=Arrival(CellId("cell-b"), 1.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        tenant.cell = CellId("cell-b")  # type: ignore[misc]  # that it is refused is the point
