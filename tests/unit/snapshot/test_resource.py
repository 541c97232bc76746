"""A resource's version is its content's, and nothing else's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import CDS, EDS, RDS, ref
from xds.names import ResourceName
from xds.snapshot import encode_resource

A, B = ResourceName("a"), ResourceName("b")


def test_rule_14_equal_content_has_an_equal_version() -> None:
    assert encode_resource(A, b"1").version == encode_resource(A, b"1").version


def test_rule_14_a_version_changes_with_the_name_and_with_the_bytes() -> None:
    versions = {encode_resource(name, body).version for name in (A, B) for body in (b"1", b"2", b"")}

    assert len(versions) == 6


def test_a_versions_name_and_bytes_do_not_run_into_each_other() -> None:
    assert encode_resource(ResourceName("ab"), b"c").version != encode_resource(A, b"bc").version


@settings(deadline=None)
@given(st.text(), st.binary())
def test_a_version_is_short_and_printable(name: str, body: bytes) -> None:
    version = encode_resource(ResourceName(name), body).version

    assert len(version) == 16
    assert version.isascii()
    assert version.isprintable()


def test_the_version_is_the_same_in_every_release() -> None:
    # Replicas of different releases serve one fleet: a change here re-sends everything to everyone, once.
    assert encode_resource(A, b"1").version == "xWN59CFDFiatF8YT"


def test_what_a_resource_names_is_what_it_needs_and_what_it_awaits() -> None:
    resource = encode_resource(A, b"", needs=(ref(CDS, "a"), ref(RDS, "r")), awaits=(ref(EDS, "a"),))

    assert resource.refs == (ref(CDS, "a"), ref(RDS, "r"), ref(EDS, "a"))


def test_resources_are_compared_by_identity_so_that_many_can_be_a_key() -> None:
    resource = encode_resource(A, b"1")

    assert resource == resource  # noqa: PLR0124 -- that it is itself is the point
    assert resource != encode_resource(A, b"1")
    assert {resource: 1}[resource] == 1
