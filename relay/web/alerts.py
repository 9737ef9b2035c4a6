"""`GET /alerts/{id}`: a record with its history, for the sender whose alert it was."""

from __future__ import annotations

import re

from flask import Blueprint, Response

from relay import reply
from relay.errors import NotFound
from relay.ledger import Ledger
from relay.pipeline import Pipeline
from relay.receive import answer, received

_ALERT_ID = re.compile(r"[0-9a-f]{32}")


def blueprint(pipeline: Pipeline, ledger: Ledger) -> Blueprint:
    """Give the records' address."""
    routes = Blueprint("alerts", __name__)

    @routes.get("/alerts/<alert_id>")
    def show(alert_id: str) -> Response:
        sender = pipeline.who(received(b""))
        record = ledger.read(alert_id) if _ALERT_ID.fullmatch(alert_id) else None
        if record is None or record.sender != sender.name:
            raise NotFound("There is no such alert of this sender's. Records are kept for RELAY_KEEP_DAYS.")
        return answer(reply.of_stored(record))

    return routes
