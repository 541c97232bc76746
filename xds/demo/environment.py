"""The environment that the demo's processes get."""

import os
from collections.abc import Mapping

from xds.settings import Settings


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what would steer a child by accident (our settings, libpq's), and `extra`."""
    settings = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in settings and not name.startswith("PG")}
    return {**kept, "PYTHONUNBUFFERED": "1", **(extra or {})}
