"""The file in which `canary` remembers its looks from one run to the next."""

import os
from pathlib import Path

from xds.errors import EvidenceUnavailable
from xds.operations.canarymemory import Memory


def read_memory(file: Path) -> Memory:
    """What the file remembers, nothing if it is not there; raises `EvidenceUnavailable` if it can't be read."""
    try:
        return Memory.from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Memory()
    except OSError as error:
        raise EvidenceUnavailable(f"state file {file}: {error.strerror}") from None
    except ValueError as error:
        raise EvidenceUnavailable(f"state file {file}: {error}; delete it to begin anew") from None


def write_memory(file: Path, memory: Memory) -> None:
    """Put the memory there, whole or not at all; raises `EvidenceUnavailable`."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        beside.write_text(memory.to_json(), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise EvidenceUnavailable(f"state file {file}: {error.strerror}") from None
