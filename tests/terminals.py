"""Terminals: a command in a real pseudo-terminal of 80 by 24, what it wrote and when, and Ctrl-C typed into it."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from contextlib import suppress

COLUMNS, LINES = 80, 24
CTRL_C = b"\x03"


class Terminal:
    """A command that believes a person sits before it.

    Attributes
    ----------
    writes
        What it wrote, each piece with the seconds since it was started.
    """

    def __init__(self, command, *, columns=COLUMNS, lines=LINES, **options):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        options["env"] = {**options.get("env", os.environ), "TERM": "xterm-256color"}
        self.writes, self._began_s = [], time.monotonic()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it calls the system, and nothing of Python's
            **options,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with suppress(OSError):  # EIO: nobody has the other end any more
            while data := os.read(self._master, 1 << 16):
                self.writes.append((time.monotonic() - self._began_s, data))

    @property
    def text(self):
        return b"".join(data for _, data in self.writes).decode(errors="replace")

    def type(self, keys):
        with suppress(OSError):
            os.write(self._master, keys)

    def wait(self, timeout=600):
        """Return the exit status, once all was read."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(timeout)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        os.close(self._master)
