"""The document of /statusz, in full."""

import dataclasses
import json

from tests.integration.http.face import SERVING
from xds.http.statusz import to_statusz
from xds.operations.status import PublishStatus

EXPECTED = {
    "version": "0.2.0",
    "auth_mode": "required",
    "cba_mode": "enforce",
    "tenant_resolution": "envoy",
    "ready": True,
    "reason": "",
    "draining": False,
    "now": "2023-11-14T22:14:20.500+00:00",
    "started_at": "2023-11-14T22:13:20.000+00:00",
    "uptime_seconds": 60.5,
    "warnings": ["issuer https://idp.example: keys not refreshed: expected status 200, got 503"],
    "issuers": [
        {
            "issuer": "https://idp.example",
            "present": 2,
            "retiring": 1,
            "fetched_at": "2023-11-14T22:13:25.000+00:00",
            "age_seconds": 55.5,
            "error": "expected status 200, got 503",
        },
        {
            "issuer": "https://other.example",
            "present": 0,
            "retiring": 0,
            "fetched_at": None,
            "age_seconds": None,
            "error": "",
        },
    ],
    "registry": {
        "revision": 7,
        "connected": True,
        "error": "",
        "since": "2023-11-14T22:13:21.000+00:00",
        "since_seconds": 59.5,
    },
    "snapshot": {
        "number": 3,
        "published_at": "2023-11-14T22:14:10.250+00:00",
        "age_seconds": 10.25,
        "tenants": 24,
        "cells": {"active": 2, "draining": 1},
        "resources": {"cds": 3, "srds": 25},
        "problems": ["tenant ann: no such cell"],
        "error": "",
        "mode": "auto",
        "held": "",
        "publishes_here": False,
        "unrecorded": False,
    },
    "nodes": [
        {
            "node_id": "edge-1",
            "group": "alphaswarm-edge",
            "variant": "delta",
            "peer": "ipv4:127.0.0.1:40000",
            "user_agent": "envoy/1.40.0",
            "connected_at": "2023-11-14T22:13:50.000+00:00",
            "connected_seconds": 30.5,
            "types": [
                {
                    "type": "cds",
                    "subscribed": "*",
                    "sent": 2,
                    "acked": 2,
                    "nacked": 0,
                    "version": "c0ffee",
                    "error": "",
                },
                {
                    "type": "eds",
                    "subscribed": 3,
                    "sent": 2,
                    "acked": 1,
                    "nacked": 1,
                    "version": "",
                    "error": "no such cluster",
                },
            ],
        }
    ],
    "cells": [
        {"id": "cell-a", "state": "active"},
        {"id": "cell-b", "state": "draining"},
        {"id": "cell-shared-std-local", "state": "active"},
    ],
}


def test_the_document_has_everything_in_the_status() -> None:
    assert json.loads(json.dumps(to_statusz(SERVING))) == EXPECTED


def test_before_the_first_snapshot_there_is_no_age() -> None:
    document = to_statusz(dataclasses.replace(SERVING, publish=PublishStatus(error="scope ann names no route table")))

    snapshot = document["snapshot"]
    assert isinstance(snapshot, dict)
    assert (snapshot["published_at"], snapshot["age_seconds"]) == (None, None)
    assert snapshot["error"] == "scope ann names no route table"
    assert (document["ready"], document["reason"]) == (
        False,
        "no snapshot is published: scope ann names no route table",
    )
