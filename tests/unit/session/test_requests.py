"""Requests are plain values; what a client leaves out is empty."""

from xds.session import DeltaRequest, SotwRequest


def test_a_delta_request_that_says_nothing_but_its_type() -> None:
    request = DeltaRequest(type_url="t")

    assert (request.nonce, request.error, request.subscribe, request.unsubscribe) == ("", None, (), ())
    assert request.known == {}


def test_a_state_of_the_world_request_that_says_nothing_but_its_type() -> None:
    request = SotwRequest(type_url="t")

    assert (request.nonce, request.error, request.names, request.version_info) == ("", None, (), "")


def test_rule_05_an_error_without_words_is_still_an_error() -> None:
    assert DeltaRequest(type_url="t", error="") != DeltaRequest(type_url="t")
    assert SotwRequest(type_url="t", error="") != SotwRequest(type_url="t")
