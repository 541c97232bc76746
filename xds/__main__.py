"""The program `alphaswarm-xds`: runs a command and turns how it ended into an exit status.

Knows what an error looks like on the screen; not what any command does.
"""

import sys
from collections.abc import Iterable

import click

from xds.cli import PROGRAM, program
from xds.errors import SettingsError, XdsError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 wrong arguments or settings, 130 interrupted."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        status = program.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.UsageError as error:
        error.show()
        return MISUSED
    except click.ClickException as error:
        return _fail([error.format_message()], error.exit_code)
    except XdsError as error:
        faults = getattr(error, "faults", None) or (str(error),)
        return _fail(faults, MISUSED if isinstance(error, SettingsError) else FAILED)
    return status if isinstance(status, int) else 0


def _fail(faults: Iterable[str], status: int) -> int:
    for fault in faults:
        click.echo(f"{PROGRAM}: {fault}", err=True)
    return status


if __name__ == "__main__":
    main()
