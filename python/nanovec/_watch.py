"""Stops an embedded server when the last process that uses it is gone.

Started with the server, as its user, and run without the package's other
modules, since it waits as long as the server runs:

    python -I -S _watch.py DIRECTORY

Whoever uses the server holds a shared lock on the file `users`, which the
kernel takes back however the process ends.  Who starts or stops the server
holds the one on `lock`.
"""

import fcntl
import os
import signal
import sys
import time


def server_pid(directory):
    """The number of the server's process, or None."""
    pid = named_pid(directory)
    return pid if pid is not None and works_in(pid, directory) else None


def named_pid(directory):
    """The process that the server's file names, if it lives, or None.

    What a killed server left may name any process by now, as after a restart of a container.
    """
    try:
        with open(os.path.join(directory, "pgdata", "postmaster.pid")) as file:  # noqa: PTH118, PTH123
            pid = int(file.readline())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return None if is_zombie(pid) else pid


def works_in(pid, directory):
    """Is a process the server of this directory?  Where there is no /proc, nobody can say."""
    if not os.path.exists("/proc/self/cwd"):  # noqa: PTH110
        return True
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", os.path.join(directory, "pgdata"))  # noqa: PTH118, PTH121
    except OSError:
        return False


def is_zombie(pid):
    """Has a process ended, and its parent not asked for it yet?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return False


def stop(directory, timeout=300.0):
    """Stop the server the fast way, and wait until it is gone; the caller holds the lock."""
    pid = server_pid(directory)
    if pid is None:
        return
    os.kill(pid, signal.SIGINT)
    end = time.monotonic() + timeout
    while server_pid(directory) == pid and time.monotonic() < end:
        time.sleep(0.01)


def take_if_unused(users):
    """Take the file of users, with the lock held; False if somebody uses the server.

    The process that watches has it for a moment when the last user lets go.  It does not
    come back before it has the lock, so that the second look is a true one.
    """
    looks = 2
    while looks > 0:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            pass
        try:
            # users share it
            fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(users, fcntl.LOCK_UN)
            looks -= 1
        except OSError:
            time.sleep(0.002)
    return False


def stop_if_unused(directory, users):
    """With the lock held: stop the server unless somebody uses it or wants it to stay."""
    if not take_if_unused(users):
        return False
    try:
        if not os.path.exists(os.path.join(directory, "keep")):  # noqa: PTH110, PTH118
            stop(directory)
    finally:
        fcntl.flock(users, fcntl.LOCK_UN)
    return True


def main(directory):
    """Wait until nobody uses the server, then stop it."""
    os.chdir("/")
    lock = os.open(os.path.join(directory, "lock"), os.O_RDWR)  # noqa: PTH118
    users = os.open(os.path.join(directory, "users"), os.O_RDWR)  # noqa: PTH118
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)
        # let go before taking the other: one who holds that waits for this
        fcntl.flock(users, fcntl.LOCK_UN)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if stop_if_unused(directory, users):
                return
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


if __name__ == "__main__":
    main(sys.argv[1])
