"""Envoy's side of the xDS channel: its certificate, whom it takes for the control plane, and TLS 1.3 only.

As JSON objects for its bootstrap. Paths are those of Envoy's machine; nothing is read here.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import PurePath

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
_CERTIFICATE = "alphaswarm-xds-client"
_CA = "alphaswarm-xds-ca"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTls:
    """The files on Envoy's machine, and the DNS name or IP address that the server's certificate must carry.

    With `secrets`, a folder, Envoy reads them by way of the files there, which are those of the function `secrets`,
    and reads them anew when they are changed. Without, it reads them once, when it starts.
    """

    ca: PurePath
    certificate: PurePath
    key: PurePath
    server_name: str
    secrets: PurePath | None = None


def transport_socket(tls: ChannelTls) -> dict[str, object]:
    """The transport socket of the control plane's cluster."""
    version = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
    context = {
        "@type": f"{_TLS}.UpstreamTlsContext",
        **({} if _is_address(tls.server_name) else {"sni": tls.server_name}),
        "common_tls_context": {"tls_params": version, **_files(tls)},
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def secrets(tls: ChannelTls) -> dict[str, dict[str, object]]:
    """The files in the folder of secrets, by name: each a DiscoveryResponse with one secret; Envoy refuses two."""
    certificate = {**_certificate(tls), "watched_directory": _directory(tls.certificate)}
    ca = {**_trusted(tls), "watched_directory": _directory(tls.ca)}
    held = (
        {"@type": f"{_TLS}.Secret", "name": _CERTIFICATE, "tls_certificate": certificate},
        {"@type": f"{_TLS}.Secret", "name": _CA, "validation_context": ca},
    )
    return {_file_name(str(secret["name"])): {"resources": [secret]} for secret in held}


def _files(tls: ChannelTls) -> dict[str, object]:
    kind = "IP_ADDRESS" if _is_address(tls.server_name) else "DNS"
    server = {"match_typed_subject_alt_names": [{"san_type": kind, "matcher": {"exact": tls.server_name}}]}
    if tls.secrets is None:
        return {"tls_certificates": [_certificate(tls)], "validation_context": {**_trusted(tls), **server}}
    return {
        "tls_certificate_sds_secret_configs": [_in_folder(tls.secrets, _CERTIFICATE)],
        "combined_validation_context": {
            "default_validation_context": server,
            "validation_context_sds_secret_config": _in_folder(tls.secrets, _CA),
        },
    }


def _in_folder(folder: PurePath, secret: str) -> dict[str, object]:
    path = {"path_config_source": {"path": str(folder / _file_name(secret))}, "resource_api_version": "V3"}
    return {"name": secret, "sds_config": path}


def _file_name(secret: str) -> str:
    return f"{secret}.json"


def _certificate(tls: ChannelTls) -> dict[str, object]:
    return {"certificate_chain": {"filename": str(tls.certificate)}, "private_key": {"filename": str(tls.key)}}


def _trusted(tls: ChannelTls) -> dict[str, object]:
    return {"trusted_ca": {"filename": str(tls.ca)}}


def _directory(file: PurePath) -> dict[str, str]:
    # A directory, because Kubernetes changes files by moving a link beside them.
    return {"path": str(file.parent)}


def _is_address(server_name: str) -> bool:
    try:
        ip_address(server_name)
    except ValueError:
        return False
    return True
