"""`GET /healthz`: the process lives. `GET /readyz`: it can take alerts."""

from __future__ import annotations

from flask import Blueprint, Response

from relay.errors import NotReady
from relay.ledger import Ledger
from relay.receive import answer
from relay.reply import Reply
from relay.version import VERSION
from relay.worker import Worker


def blueprint(ledger: Ledger, worker: Worker) -> Blueprint:
    """Give both addresses; neither wants a credential, and neither tells one."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def alive() -> Response:
        return answer(Reply(200, {"status": "alive", "version": VERSION}))

    @routes.get("/readyz")
    def ready() -> Response:
        ledger.now_ms()  # NotReady becomes the 503 that says it is Redis
        if not worker.alive:
            raise NotReady(
                "The worker's thread has ended, so nothing is taken over here: restart this process."
            )
        body = {"status": "ready", "redis": "answers", "worker": "lives"}
        return answer(Reply(200, body))

    return routes
