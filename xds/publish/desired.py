"""What should be published: the registry, the keys and the edge's options, translated.

Knows nothing about what is published, and to whom.
"""

import time
from contextlib import suppress
from dataclasses import replace

from xds.errors import ChangesPruned, KeysError
from xds.model import Changes, Topology
from xds.publish.graces import Graces
from xds.publish.source import Keys, Registry
from xds.publish.structure import structure_of
from xds.snapshot import Content
from xds.telemetry import get_logger
from xds.translate import AuthOptions, EdgeOptions, Translation, retranslate, translate, with_keys


def cells_content(topology: Topology, options: EdgeOptions) -> Content:
    """What options make of the cells: all that could be wrong with them, whoever the tenants are."""
    return translate(replace(topology, tenants={}), options).content


class Desired:
    """Follows the registry, incrementally."""

    def __init__(self, registry: Registry, keys: Keys, options: EdgeOptions) -> None:
        self._registry = registry
        self._keys = keys
        self._options = options
        self._structure = structure_of(options)
        self._graces = Graces(options)
        self._log = get_logger()
        self.translation: Translation | None = None
        """None until the registry and all keys were read."""

    @property
    def structure(self) -> str:
        """What it is made by, beside the registry and the keys."""
        return self._structure

    @property
    def auth(self) -> AuthOptions:
        """How tokens are checked, with today's keys as far as they are known."""
        if self.translation is not None:
            return self.translation.options.auth
        with suppress(KeysError):
            return self._options.auth.with_keys(self._keys.jwks())
        return self._options.auth

    def seconds_left(self) -> float | None:
        """How long until a grace ends; None if none will."""
        return self._graces.seconds_left(time.time())

    def advance_alone(self) -> bool:
        """Take up what needs no registry: keys that have changed, graces that have ended. Whether there was any.

        Raises `KeysUnavailable`.
        """
        before = self.translation
        if before is None:
            return False
        now = time.time()
        topology = before.topology
        again = {tenant: topology.tenants[tenant] for tenant in self._graces.ended(now) if tenant in topology.tenants}
        after = retranslate(before, Changes(revision=topology.revision, tenants=again), now=now) if again else before
        self.translation = with_keys(after, self._keys.jwks())
        return self.translation is not before

    async def advance(self) -> None:
        """Take up what the registry says now; raises `RegistryError` and `KeysError`."""
        now, before = time.time, self.translation
        if before is None:
            auth = self._options.auth.with_keys(self._keys.jwks())
            topology = await self._registry.load()
            self.translation = translate(topology, replace(self._options, auth=auth), now=now())
            self._graces.note(topology.tenants.values(), now())
            return
        changes = await self._changes(before.topology)
        # A revision alone is news: a restored registry may be the same at a lower one, and is followed from there.
        if changes or changes.revision != before.topology.revision:
            self.translation = retranslate(before, changes, now=now())
            self._graces.note(changes.tenants.values(), now())

    async def _changes(self, topology: Topology) -> Changes:
        try:
            return await self._registry.changes_since(topology.revision)
        except ChangesPruned:
            self._log.warning("registry.reloaded", revision=topology.revision)
            return topology.changes_to(await self._registry.load())
