"""The command line: arguments in, tables or JSON out. What is done is done by operations and `app`."""

from xds.cli.program import COMMANDS, PROGRAM, program

__all__ = ["COMMANDS", "PROGRAM", "program"]
