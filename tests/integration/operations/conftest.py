"""A registry and plain SQL, as the registry's own tests have them."""

from tests.integration.registry.conftest import registry, sql

__all__ = ["registry", "sql"]
