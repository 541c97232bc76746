import grpc
import pytest

from xds.server import status


def test_what_is_nobodys_fault_ends_well() -> None:
    assert {each.code for each in (status.CLOSED, status.DRAINED, status.AGED, status.LOST)} == {grpc.StatusCode.OK}


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (status.NOT_READY, grpc.StatusCode.UNAVAILABLE),
        (status.SILENT, grpc.StatusCode.DEADLINE_EXCEEDED),
        (status.TOO_SLOW, grpc.StatusCode.DEADLINE_EXCEEDED),
        (status.CROWDED, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (status.violated("why"), grpc.StatusCode.INVALID_ARGUMENT),
        (status.unknown_group("x", ("b", "a")), grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
def test_every_other_end_has_a_code_and_says_why(ending: status.Ending, code: grpc.StatusCode) -> None:
    assert ending.code is code
    assert ending.text


def test_an_unknown_group_is_told_those_that_are_known() -> None:
    text = status.unknown_group("x", ("b", "a")).text

    assert text == "node group (the node's cluster) 'x' is not configured; configured: a, b"
