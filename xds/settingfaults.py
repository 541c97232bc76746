"""What is wrong with settings, in one line each.

Knows no setting but the one that may hold a password.
"""

from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from xds.errors import SettingsError


def check_lines(file: Path) -> None:
    """Raise `SettingsError` for a settings file that cannot be read, or has lines that cannot."""
    # pydantic-settings skips a line that it cannot read, which would leave a default in force unnoticed.
    try:
        with file.open(encoding="utf-8") as stream:
            lines = [
                read.original.line for read in parse_stream(stream) if read.error or (read.key and read.value is None)
            ]
    except OSError as error:
        raise SettingsError((f"settings file {file}: {error.strerror}",)) from None
    except UnicodeDecodeError:
        raise SettingsError((f"settings file {file}: expected UTF-8 text",)) from None
    if lines:
        raise SettingsError(tuple(f"settings file {file}, line {line}: expected NAME=value" for line in lines))


def fault_text(fault: Any) -> str:  # noqa: ANN401 -- pydantic's error dictionary
    """What is wrong with a setting, led by its variable."""
    name = ".".join(str(part) for part in fault["loc"]).upper()
    message = fault["msg"].removeprefix("Value error, ")
    if not name:
        return str(message)
    if fault["type"] == "extra_forbidden":
        return f"{name}: no such setting"
    says_value = name == "DATABASE_URL" or ", got " in message
    return f"{name}: {message}" if says_value else f"{name}: {message} (got {fault['input']!r})"
