"""What is refused before anything is asked of the registry."""

import pytest

from xds.errors import RequestError
from xds.model import Tenant
from xds.names import PUBLIC_TENANT, CellId, TenantId
from xds.operations.store import Store
from xds.operations.tenants import add_tenant


@pytest.mark.parametrize("text", [PUBLIC_TENANT, "a b", "true", "1.5", "WyJhYiJd"])
async def test_an_id_that_no_tenant_may_have_is_never_stored(text: str) -> None:
    nowhere: Store = None  # type: ignore[assignment]  # it is not asked

    with pytest.raises(RequestError, match="tenant id: expected 1 to 128 letters"):
        await add_tenant(nowhere, Tenant(TenantId(text), CellId("cell-a")))
