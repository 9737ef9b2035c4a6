"""`GET /healthz`: the process lives. `GET /readyz`: it can take alerts."""

from __future__ import annotations

from flask import Blueprint, Response

from relay.ledger import Ledger
from relay.receive import answer
from relay.reply import Reply
from relay.version import VERSION


def blueprint(ledger: Ledger, warnings: tuple[str, ...]) -> Blueprint:
    """Give both addresses; neither wants a credential, and neither tells one."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def alive() -> Response:
        return answer(Reply(200, {"status": "alive", "version": VERSION}))

    @routes.get("/readyz")
    def ready() -> Response:
        now_ms = ledger.now_ms()  # NotReady becomes the 503 that says it is Redis
        body = {"status": "ready", "redis": "answers", "redis_ms": now_ms, "warnings": len(warnings)}
        return answer(Reply(200, body))

    return routes
