"""How values of settings are read; which setting is of what kind is in `test_settings`."""

import pytest

from xds.identities import NodeRule
from xds.settingvalues import Address, is_loopback, read_address, read_items, read_listeners, read_node_rules


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:80", Address("localhost", 80)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[fe80::1%eth0]:1", Address("fe80::1%eth0", 1)),
        ("alphaswarm-cell-shared_std.local:65535", Address("alphaswarm-cell-shared_std.local", 65535)),
    ],
)
def test_an_address_reads_what_it_writes(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "h", ":1", "h:", "h:65536", "h:-1", "a b:1", "http://h:1", "h:٣"])
def test_what_is_no_address_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port with a port of 0 to 65535, got"):
        read_address(text)


def test_listeners_name_each_group_once() -> None:
    assert read_listeners("a=h:1, b=[::]:2,") == {"a": Address("h", 1), "b": Address("::", 2)}
    for text in ("h:1", "=h:1", "a=h:1,a=h:2"):
        with pytest.raises(ValueError, match="expected group=host:port, each group once"):
            read_listeners(text)


def test_lists_are_separated_by_commas_and_have_no_empty_items() -> None:
    assert read_items(" a, b c ,,") == ("a", "b c")
    assert read_node_rules("a=b@c,") == (NodeRule("a", "b", "c"),)


@pytest.mark.parametrize(
    "value", [Address("h", 1), {"g": Address("h", 1)}, ("a",), (NodeRule("a", "b", "c"),), None, 5]
)
def test_a_value_that_is_no_text_is_taken_as_it_is(value: object) -> None:
    assert all(read(value) is value for read in (read_address, read_listeners, read_items, read_node_rules))


@pytest.mark.parametrize(
    ("host", "only_here"), [("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("h", False)]
)
def test_loopback_is_this_machine(host: str, only_here: bool) -> None:
    assert is_loopback(host) is only_here
