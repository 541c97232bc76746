"""What an operation says of itself."""

from xds.control import OPERATIONS
from xds.operations.operators import Role

BY_NAME = {each.name: each for each in OPERATIONS}


def test_the_fields_in_the_path_are_read_from_it() -> None:
    assert BY_NAME["DiffSnapshots"].path_fields == ("older", "newer")
    assert BY_NAME["ListCells"].path_fields == ()


def test_who_changes_something_must_be_allowed_to_operate() -> None:
    assert BY_NAME["GetCell"].role is Role.READ
    assert BY_NAME["Freeze"].role is Role.OPERATE


def test_what_changes_what_is_there_is_conditional() -> None:
    assert BY_NAME["SetCellState"].is_conditional
    assert not BY_NAME["AddCell"].is_conditional
