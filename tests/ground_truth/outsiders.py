"""Programs that are no part of the run: one that has a core busy, and a slow server. No descendants of this process.

A child of this process would be counted as part of the run. Each ends when told to, or when this process is gone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BURNER = """
import os, sys, time
os.sched_setaffinity(0, {core})
while os.path.exists("/proc/{parent}"):
    end = time.monotonic() + 0.5
    while time.monotonic() < end: pass
"""

_SERVER = """
import http.server, os, sys, threading, time

class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, size, seconds = self.path.split("/")
        size, seconds = int(size), float(seconds)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        pieces = 10 if size >= 10000 else 1
        if pieces > 1:
            self.end_headers()
        for _ in range(pieces):
            time.sleep(seconds / pieces)
            if pieces == 1:
                self.end_headers()
            self.wfile.write(bytes(size // pieces))
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
threading.Thread(target=server.serve_forever, daemon=True).start()
while os.path.exists("/proc/{parent}"):
    time.sleep(0.5)
"""


@contextmanager
def _start(code: str, *arguments: str) -> Iterator[None]:
    shell = '"$0" -I -S -c "$@" >/dev/null 2>&1 & echo $!'
    command = ["/bin/sh", "-c", shell, sys.executable, code, *arguments]
    pid = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def keep_core_busy() -> Iterator[None]:
    """Have another program compute on the last core for as long as the block lasts."""
    core = max(os.sched_getaffinity(0))
    with _start(_BURNER.replace("{parent}", str(os.getpid())).replace("{core}", f"{{{core}}}")):
        yield


@contextmanager
def serve_slowly(folder: Path) -> Iterator[str]:
    """Serve `URL/BYTES/SECONDS`: so many bytes, spread over so much time, on loopback; yields the URL."""
    said = folder / "port"
    with _start(_SERVER.replace("{parent}", str(os.getpid())), str(said)):
        deadline_s = time.monotonic() + 120
        while not said.exists():
            if time.monotonic() > deadline_s:
                raise TimeoutError("the slow server has not started within 120 s")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{said.read_text()}"
