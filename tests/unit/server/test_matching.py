from typing import Any

import pytest

from xds.proto import matcher_pb2 as pb
from xds.server.matching import Unmatchable, Unsupported, to_match


def by_id(**fields: Any) -> pb.NodeMatcher:
    return pb.NodeMatcher(node_id=pb.StringMatcher(**fields))


def regex(pattern: str, **fields: Any) -> pb.NodeMatcher:
    return by_id(safe_regex=pb.RegexMatcher(regex=pattern), **fields)


@pytest.mark.parametrize(
    ("matcher", "taken", "left"),
    [
        (by_id(exact="edge-1"), "edge-1", "Edge-1"),
        (by_id(exact=""), "", "edge-1"),
        (by_id(exact="EDGE-1", ignore_case=True), "edge-1", "edge-11"),
        (by_id(prefix="edge"), "edge-1", "an-edge-1"),
        (by_id(prefix="EDGE", ignore_case=True), "edge-1", "an-edge-1"),
        (by_id(suffix="-1"), "edge-1", "edge-12"),
        (by_id(suffix="GE-1", ignore_case=True), "edge-1", "edge-2"),
        (by_id(contains="dge"), "edge-1", "EDGE-1"),
        (by_id(contains="DGE", ignore_case=True), "edge-1", "node-1"),
        (regex("edge-[0-9]"), "edge-1", "edge-12"),
        (regex("EDGE-.", ignore_case=True), "EDGE-1", "edge-1"),
        (pb.NodeMatcher(), "edge-1", None),
    ],
)
def test_a_node_is_taken_by_its_id(matcher: pb.NodeMatcher, taken: str, left: str | None) -> None:
    match = to_match([matcher])

    assert match(taken)
    assert left is None or not match(left)


def test_no_matcher_takes_every_node() -> None:
    assert to_match([])("edge-1")


def test_of_several_matchers_one_is_enough() -> None:
    match = to_match([by_id(exact="a"), by_id(exact="b")])

    assert [match(each) for each in "abc"] == [True, True, False]


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        (by_id(), "expected exact, prefix"),
        (by_id(prefix=""), "an empty prefix"),
        (by_id(suffix=""), "an empty suffix"),
        (by_id(contains=""), "an empty contains"),
        (regex(""), "an empty safe_regex"),
        (regex("edge-["), r"safe_regex 'edge-\[' is no regular expression"),
        (regex("a{99999999999}"), "is no regular expression"),
        (regex("(" * 5000 + ")" * 5000), "is no regular expression"),
    ],
)
def test_a_matcher_that_makes_no_sense_is_named(matcher: pb.NodeMatcher, words: str) -> None:
    with pytest.raises(Unmatchable, match=words):
        to_match([matcher])


def test_metadata_can_not_be_matched() -> None:
    with pytest.raises(Unsupported, match="nodes can be matched by their id only"):
        to_match([pb.NodeMatcher(node_metadatas=[pb.StructMatcher()])])
