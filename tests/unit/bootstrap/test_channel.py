from pathlib import PurePosixPath
from typing import Any

import pytest

from xds.bootstrap.channel import ChannelTls, secrets, transport_socket

FILES = {"/tls/ca.pem", "/tls/edge.pem", "/key/edge.key"}


def options(server_name: str = "xds.internal", *, by_secrets: bool = False) -> ChannelTls:
    return ChannelTls(
        ca=PurePosixPath("/tls/ca.pem"),
        certificate=PurePosixPath("/tls/edge.pem"),
        key=PurePosixPath("/key/edge.key"),
        server_name=server_name,
        secrets=PurePosixPath("/etc/envoy") if by_secrets else None,
    )


def context(tls: ChannelTls) -> Any:
    return transport_socket(tls)["typed_config"]


def file_names(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {str(value["filename"])} if "filename" in value else set()
        return own.union(*map(file_names, value.values()))
    return set().union(*map(file_names, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("by_secrets", [False, True])
def test_nothing_but_tls_1_3_is_spoken(by_secrets: bool) -> None:
    version = context(options(by_secrets=by_secrets))["common_tls_context"]["tls_params"]

    assert version == {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}


@pytest.mark.parametrize(("name", "kind"), [("xds.internal", "DNS"), ("10.0.0.1", "IP_ADDRESS"), ("::1", "IP_ADDRESS")])
@pytest.mark.parametrize("by_secrets", [False, True])
def test_the_control_plane_must_prove_its_name(name: str, kind: str, by_secrets: bool) -> None:
    common = context(options(name, by_secrets=by_secrets))["common_tls_context"]
    combined = common.get("combined_validation_context", {})
    validation = combined["default_validation_context"] if by_secrets else common["validation_context"]

    assert validation["match_typed_subject_alt_names"] == [{"san_type": kind, "matcher": {"exact": name}}]


def test_a_name_is_said_in_the_handshake_and_an_address_is_not() -> None:
    assert context(options("xds.internal"))["sni"] == "xds.internal"
    assert "sni" not in context(options("10.0.0.1"))


def test_without_secrets_the_files_are_named_in_the_bootstrap() -> None:
    assert file_names(transport_socket(options())) == FILES


def held(tls: ChannelTls) -> list[Any]:
    """The secrets; each has a file of its own, because Envoy refuses a file with two."""
    files: Any = secrets(tls).values()
    return [secret for file in files for (secret,) in [file["resources"]]]


def test_with_secrets_only_their_files_are_named_and_those_name_the_rest_and_their_folders() -> None:
    tls = options(by_secrets=True)
    certificate, ca = held(tls)

    assert file_names(transport_socket(tls)) == set()
    for name in secrets(tls):
        assert f"'path': '/etc/envoy/{name}'" in str(transport_socket(tls))
    assert file_names([certificate, ca]) == FILES
    assert certificate["tls_certificate"]["watched_directory"] == {"path": "/tls"}
    assert ca["validation_context"]["watched_directory"] == {"path": "/tls"}


def test_the_secrets_have_the_names_that_the_bootstrap_asks_for() -> None:
    tls = options(by_secrets=True)
    common = context(tls)["common_tls_context"]
    asked = [
        common["tls_certificate_sds_secret_configs"][0]["name"],
        common["combined_validation_context"]["validation_context_sds_secret_config"]["name"],
    ]

    assert [secret["name"] for secret in held(tls)] == asked
