"""What can be a value at all."""

import pytest
from pydantic import ValidationError

from xds.control.cells import AddCell, SetEndpoints
from xds.control.publishing import Decide, Rollback
from xds.control.tenants import GetTenant
from xds.operations.cells import TRANSITIONS


@pytest.mark.parametrize("tenant", ["", "-", "a b", "a\0", "a" * 129, "ä", "a\n"])
def test_what_is_no_id_by_its_letters_is_refused(tenant: str) -> None:
    with pytest.raises(ValidationError):
        GetTenant(tenant=tenant)


@pytest.mark.parametrize("message", ["a\0b", "a" * 501, "\ud800"])
def test_what_postgresql_can_not_keep_is_refused(message: str) -> None:
    with pytest.raises(ValidationError):
        Decide(message=message, etag="*")


def test_a_field_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValidationError, match="mesage"):
        Decide.model_validate({"etag": "*", "mesage": "misspelt"})


@pytest.mark.parametrize("number", ["1", 1.0, True, -1, 2**63])
def test_a_number_in_a_body_is_a_number(number: object) -> None:
    with pytest.raises(ValidationError):
        Rollback.model_validate({"etag": "*", "number": number})


@pytest.mark.parametrize("fields", [{"port": 0}, {"port": "80"}, {"weight": 0}, {"address": "a b"}, {"zone": "-"}])
def test_an_endpoint_is_checked_as_the_operations_check_it(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SetEndpoints.model_validate({"cell": "cell-a", "etag": "*", "endpoints": [fields]})


def test_a_cell_begins_as_the_command_line_begins_it() -> None:
    assert AddCell(id="cell-a").state in TRANSITIONS
