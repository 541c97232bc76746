"""How the values of settings are read; what wrong ones are answered with is tests/unit/test_settings.py's."""

import pytest

from xds.settingvalues import Address, as_address, as_items, as_listeners, is_loopback


@pytest.mark.parametrize("text", ["edge.internal:10000", "127.0.0.1:0", "[::1]:65535"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(as_address(text)) == text


def test_what_is_no_text_is_left_as_it_is() -> None:
    address = Address("h", 1)

    assert as_address(address) is address
    assert as_items(("a", "b")) == ("a", "b")


def test_items_and_listeners_stand_between_commas() -> None:
    assert as_items(" a, b,,") == ("a", "b")
    assert as_listeners("a=h:1, b=h:2,") == {"a": Address("h", 1), "b": Address("h", 2)}


@pytest.mark.parametrize(
    ("host", "is_it"), [("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_loopback_is_what_only_this_machine_reaches(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it
