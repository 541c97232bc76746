"""Run a program that is killed when its parent dies, as another user if asked.

A script of its own, run by path in a bare interpreter (`python -I -S tether.py …`) that then becomes the
program: what happens between fork and exec is safe here even when the parent has threads, which
`preexec_fn` is not. Imports nothing of this package.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CANNOT_RUN = 127  # what shells answer for a program that cannot be run


def become(user: str) -> None:
    """Give up root for `user`, its groups too."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(parent: int, death_signal: int) -> None:
    """Have the kernel send `death_signal` here when `parent` is gone; elsewhere than on Linux, nothing.

    To be called after `become`: the kernel forgets the wish when the user changes. The wish holds for the
    *thread* of the parent that forked, see prctl(2).
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the wish was made
        sys.exit(CANNOT_RUN)


def main(argv: list[str]) -> None:
    """Become the program: `parent-pid death-signal user-or-nothing program arguments…`."""
    parent, death_signal, user, *command = argv
    try:
        if user:
            become(user)
        die_with(int(parent), int(death_signal))
        os.execv(command[0], command)
    except (OSError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"no such user {error}"
        sys.stderr.write(f"cannot run {command[0]}: {reason}\n")
        sys.exit(CANNOT_RUN)


if __name__ == "__main__":
    main(sys.argv[1:])
