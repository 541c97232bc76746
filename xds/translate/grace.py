"""The grace of a tenant that has moved: for a while its old cell's tokens pass in the new one.

Pure: the caller says what time it is.
"""

from xds.model import Tenant
from xds.names import CellId
from xds.translate.options import CellBound, EdgeOptions


def grace_end(tenant: Tenant, options: EdgeOptions) -> float | None:
    """When the tenant's grace ends, or ended; None if it has none at all."""
    grace = options.tenants.grace.total_seconds()
    if not grace or tenant.arrival is None or options.auth.cell_bound is CellBound.OFF:
        return None
    return tenant.arrival.at + grace


def admitted_cell(tenant: Tenant, options: EdgeOptions, now: float) -> CellId | None:
    """The other cell whose tokens the tenant may use at this time.

    A move that is dated further ahead than clocks differ has none: a grace is bounded, whatever the table says.
    """
    end = grace_end(tenant, options)
    if end is None or tenant.arrival is None or not end - 2 * options.tenants.grace.total_seconds() < now < end:
        return None
    return tenant.arrival.previous
