from datetime import timedelta

import pytest
from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Address, ApiVersion, ConfigSource
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from google.protobuf import any_pb2, duration_pb2
from pydantic import ValidationError

from xds.translate.messages import over_ads, pack, socket_address


def test_config_over_ads_is_waited_for_without_end() -> None:
    source = ConfigSource.parse(bytes(over_ads()))

    assert source.initial_fetch_timeout == timedelta(0)
    assert source.ads is not None
    assert source.resource_api_version is ApiVersion.V3


def test_a_duration_of_zero_is_written_down() -> None:
    # Left out it would be Envoy's default of 15 s. Field 4: an empty Duration.
    assert b"\x22\x00" in bytes(over_ads())
    assert duration_pb2.Duration.FromString(b"").ToTimedelta() == timedelta(0)


def test_an_address_is_tcp_by_host_and_port() -> None:
    address = Address.parse(bytes(socket_address("2001:db8::1", 8000))).socket_address

    assert address is not None
    assert (address.address, address.port_value) == ("2001:db8::1", 8000)


@pytest.mark.parametrize(
    ("message", "type_url"),
    [
        (Rbac(), "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"),
        (
            Router(suppress_envoy_headers=True),
            "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        ),
    ],
)
def test_a_packed_message_is_an_any_as_protobuf_itself_reads_it(message: Message, type_url: str) -> None:
    read = any_pb2.Any.FromString(bytes(pack(message)))

    assert (read.type_url, read.value) == (type_url, bytes(message))


def test_a_message_that_was_spoiled_after_it_was_made_is_not_encoded() -> None:
    cluster = Cluster(name="cell-a-api")
    assert bytes(cluster)
    cluster.name = 7  # type: ignore[assignment]
    with pytest.raises(ValidationError, match="name"):
        bytes(cluster)


def test_no_validator_is_built_to_encode_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three quarters of a translation, once: betterproto2's own check builds one at each encoding.
    assert bytes(Cluster(name="cell-a-api"))  # pydantic builds a class's own when it is first needed
    monkeypatch.setattr("pydantic_core.SchemaValidator", None)
    assert bytes(Cluster(name="cell-b-api"))
