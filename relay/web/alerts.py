"""`/alerts`, `/alerts/{id}`: records, for the sender whose alerts they were; taken back, or tried again."""

from __future__ import annotations

from flask import Blueprint, Response, request

from relay import reply
from relay.ledger import Ledger
from relay.pipeline import Pipeline
from relay.recall import read_query, recall, written
from relay.receive import answer, received
from relay.scrubber import Scrubber


def blueprint(pipeline: Pipeline, ledger: Ledger, scrubber: Scrubber) -> Blueprint:
    """Give the records' addresses."""
    routes = Blueprint("alerts", __name__)

    @routes.get("/alerts")
    def listed() -> Response:
        sender = pipeline.who(received(b""))
        wanted = read_query(list(request.args.items(multi=True)), scrubber)
        page = recall(ledger, sender.name, wanted)
        return answer(
            reply.of_list(
                page.records,
                before=written(page.next) if page.next else None,
                following=wanted.after(page.next) if page.next else None,
                unreadable=page.unreadable,
            )
        )

    @routes.get("/alerts/<alert_id>")
    def show(alert_id: str) -> Response:
        return answer(reply.of_stored(pipeline.own(alert_id, received(b""))))

    @routes.delete("/alerts/<alert_id>")
    def withdraw(alert_id: str) -> Response:
        return answer(pipeline.withdraw(alert_id, received(b"")))

    @routes.post("/alerts/<alert_id>/retry")
    def retry(alert_id: str) -> Response:
        return answer(pipeline.retry(alert_id, received(b"")))

    return routes
