"""nginx and HAProxy as processes on loopback: started, stopped, and given another configuration while they run."""

import contextlib
import http.client
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path
from typing import ClassVar

PAGE_404 = "location / { return 404; }"
EMPTY_404, EMPTY_403, EMPTY_401 = (f"location / {{ return {status} $nothing; }}" for status in (404, 403, 401))
JSON_404 = """location / {
      default_type application/json;
      return 404 '{"message":"no Route matched with those values"}';
    }"""
NO_LOCATION = ""
"""Rules with which nginx answers by itself. With the last it looks for files: 404 to a GET, and 405 to a DELETE."""

HOST = "127.0.0.1"
_NUMBER = "/_configuration"
_SAID = re.compile(r"^(?:GET|DELETE|POST) \S+ (\d{3})$", re.MULTILINE)


class Gateway(ABC):
    """A gateway before the API at port `api`: one process and its children, with all their files in `folder`.

    Every configuration has a number, which the gateway reports. It shows when a changed one is in force.
    """

    program: ClassVar[str]
    reread: ClassVar[signal.Signals]

    def __init__(self, folder: Path, api: int) -> None:
        self.folder = folder
        self.api = api
        self.port = 0
        self._rules = self.proxied
        self._number = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reserved: socket.socket | None = None
        self._reserve()

    @classmethod
    def where(cls) -> str | None:
        """The program's path; it is not always in an ordinary user's PATH."""
        return shutil.which(cls.program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))

    @property
    def url(self) -> str:
        """The API's base URL through the gateway."""
        return f"http://{HOST}:{self.port}/atoms/v1"

    @property
    def log(self) -> str:
        """What it has answered, a line each, and whatever it complained about."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    @property
    def statuses(self) -> Counter[int]:
        """How many of its answers had which status, its own answers included."""
        return Counter(int(status) for status in _SAID.findall(self.log))

    @property
    @abstractmethod
    def proxied(self) -> str:
        """The rules that hand everything on to the API."""

    @abstractmethod
    def configuration(self, rules: str, number: int) -> str:
        """The whole configuration file."""

    @abstractmethod
    def command(self, program: str, file: Path) -> list[str]:
        """How it is started in the foreground."""

    def start(self) -> None:
        """Start it, and return once it answers."""
        program = self.where()
        assert program is not None
        file = self._write()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        with (self.folder / "complaints.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(program, file), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._in_force()

    def stop(self) -> None:
        """End it, its connections cut off. Until it is started again, nobody listens at its port."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own, see `start`
                self._process.wait()
            self._process = None
            self._reserve()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        if self._reserved is not None:
            self._reserved.close()

    def reload(self, rules: str | None = None) -> None:
        """Have it read its configuration again, with other rules if any are given; returns once they are in force."""
        assert self._process is not None
        self._rules = self._rules if rules is None else rules
        witness = self._connected()
        with contextlib.closing(witness):
            witness.request("GET", _NUMBER)
            witness.getresponse().read()
            self._write()
            for _ in range(30):  # one that has only just started may miss a signal
                self._process.send_signal(self.reread)
                # A process that is to go closes its idle connections. Until then it takes new ones, new rules or not.
                if select.select([witness.sock], [], [], 0.3)[0]:
                    break
        self._in_force()

    def _write(self) -> Path:
        self._number += 1
        file = self.folder / f"{self.program}.conf"
        file.write_text(self.configuration(self._rules, self._number))
        return file

    def _in_force(self) -> None:
        """Wait until the configuration is the latest."""
        assert self._process is not None
        end = time.monotonic() + 10
        while self._reported_number() != str(self._number):
            assert self._process.poll() is None, f"{self.program} has ended:\n{self.log}"
            assert time.monotonic() < end, f"{self.program} does not take its configuration:\n{self.log}"
            time.sleep(0.005)

    def _reported_number(self) -> str:
        with contextlib.closing(self._connected()) as connection:
            try:
                connection.request("GET", _NUMBER, headers={"Connection": "close"})
                return connection.getresponse().read().decode()
            except (OSError, http.client.HTTPException):
                return ""

    def _connected(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(HOST, self.port, timeout=2)

    def _reserve(self) -> None:
        """Bind the port (at first any) and do not listen: connections are refused, and nobody else gets it."""
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end = time.monotonic() + 10
        while True:
            try:
                self._reserved.bind((HOST, self.port))
                break
            except OSError:  # a child of the process that has ended is a little behind
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)
        self.port = self._reserved.getsockname()[1]


class Nginx(Gateway):
    """nginx: a master, which reads its file again on SIGHUP, and a worker that finishes what it has begun."""

    program = "nginx"
    reread = signal.SIGHUP

    @property
    def proxied(self) -> str:
        """The rules that hand everything on to the API."""
        return f"location / {{ proxy_pass http://{HOST}:{self.api}; }}"

    def command(self, program: str, file: Path) -> list[str]:
        """How it is started in the foreground."""
        return [program, "-p", f"{self.folder}/", "-c", str(file)]

    def configuration(self, rules: str, number: int) -> str:
        """The whole configuration file; `limit_req zone=slow` in the rules limits to 30 requests a second."""
        user = "user root;" if os.geteuid() == 0 else ""  # another one could not write into the folder
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "\n  ".join(f"{kind}_temp_path {kind};" for kind in kinds)
        return f"""
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 512; }}
http {{
  {places}
  log_format answer "$request_method $uri $status";
  access_log answers.log answer;
  limit_req_zone $binary_remote_addr zone=slow:64k rate=30r/s;
  server {{
    listen {HOST}:{self.port};
    set $nothing "";
    location = {_NUMBER} {{ access_log off; return 200 "{number}"; }}
    {rules}
  }}
}}
"""


class HAProxy(Gateway):
    """HAProxy: a master, which starts itself anew with other workers on SIGUSR2."""

    program = "haproxy"
    reread = signal.SIGUSR2

    @property
    def proxied(self) -> str:
        """The rules that hand everything on to the API."""
        return "retries 0"

    def command(self, program: str, file: Path) -> list[str]:
        """How it is started in the foreground."""
        return [program, "-W", "-f", str(file)]

    def configuration(self, rules: str, number: int) -> str:
        """The whole configuration file."""
        return f"""
global
  log stdout format raw local0
  hard-stop-after 2s
defaults
  mode http
  log global
  log-format "%HM %HP %ST"
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend all
  bind {HOST}:{self.port}
  http-request set-log-level silent if {{ path {_NUMBER} }}
  http-request return status 200 content-type text/plain string "{number}" if {{ path {_NUMBER} }}
  default_backend atoms
backend atoms
  {rules}
  server api {HOST}:{self.api}
"""
