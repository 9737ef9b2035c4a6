"""`/alerts/{id}`: a record, for the sender whose alert it was; taken back, or tried again."""

from __future__ import annotations

from flask import Blueprint, Response

from relay import reply
from relay.pipeline import Pipeline
from relay.receive import answer, received


def blueprint(pipeline: Pipeline) -> Blueprint:
    """Give the records' addresses."""
    routes = Blueprint("alerts", __name__)

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
