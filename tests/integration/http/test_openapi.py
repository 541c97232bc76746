"""The OpenAPI document is valid, and what is answered is what it says: asked by schemathesis, for real.

The program's own HTTP side on a real registry. Each request is one that the document allows, or one that it does not.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis.checks import load_all_checks, CHECKS

from tests.support.controlled import Controlled, controlled
from xds.control import OPERATIONS
from xds.http.openapi import to_openapi

load_all_checks()
DOCUMENT = to_openapi(OPERATIONS)
NAMES = [each.name for each in OPERATIONS]
