"""`POST /webhook`: bytes in, reply out."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from relay import log, reply
from relay.errors import BodyTooLarge, MalformedBody, Refusal
from relay.parse import BODY_BYTES
from relay.pipeline import Pipeline, Received
from relay.reply import Reply

#: A request id of a proxy's that may stand in our log lines.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")

_NOT_ALLOWED = 405
_NAMES = {404: "not-found", _NOT_ALLOWED: "method-not-allowed"}


def blueprint(pipeline: Pipeline) -> Blueprint:
    """Give the webhook's address."""
    routes = Blueprint("receive", __name__)

    @routes.post("/webhook")
    def webhook() -> Response:
        try:
            body = _body(request)
        except Refusal as refusal:
            pipeline.unread(refusal, received(b""))
            raise
        return answer(pipeline.handle(received(body)))

    return routes


def received(body: bytes) -> Received:
    """Give the request that is being handled as the pipeline takes it."""
    return Received(
        body, cast("Mapping[str, str]", request.headers), request.remote_addr, g.request_id, g.began
    )


def answer(what: Reply) -> Response:
    """Turn a reply into HTTP."""
    # With a line's end, and letters as they are: people read it in a terminal.
    text = json.dumps(what.body, ensure_ascii=False) + "\n"
    response = Response(text, what.status, content_type=what.content_type)
    response.headers.extend(dict(what.headers))
    return response


def mark_requests(app: Flask, *, trusted_proxies: int) -> None:
    """Give every request an id and a beginning; a trusted proxy's id is kept."""

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()
        given = request.headers.get("X-Request-ID", "") if trusted_proxies else ""
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)

    @app.after_request
    def show(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.request_id
        response.headers["Cache-Control"] = "no-store"
        return response


def answer_errors(app: Flask) -> None:
    """Answer every error as a problem (RFC 9457), the unforeseen ones too."""

    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        facts = {"type": refusal.problem, "http": refusal.status, "fields": sorted(refusal.errors)}
        log.say("refused", facts | _facts(), logging.WARNING)
        return answer(reply.of_refusal(refusal, g.request_id))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        kind = _NAMES.get(status, "bad-request")
        log.say("refused", {"type": kind, "http": status} | _facts())
        detail = f"There is nothing at this address for {request.method}." if status in _NAMES else error.name
        if status == _NOT_ALLOWED and request.path == "/webhook":
            detail = "Alerts are POSTed here."
        methods = getattr(error, "valid_methods", None)
        headers = {"Allow": ", ".join(sorted(methods))} if methods else {}
        return answer(reply.problem(kind, error.name, status, detail, g.request_id, headers=headers))

    @app.errorhandler(Exception)
    def unforeseen(_: Exception) -> Response:
        log.say_unforeseen(_facts())
        detail = "The relay made a mistake. The request id leads to it in the relay's log."
        return answer(reply.problem("internal-error", "Internal error", 500, detail, g.request_id))


def _facts() -> dict[str, object]:
    path = request.path if request.url_rule else "(no such address)"
    return {"request_id": g.request_id, "method": request.method, "path": path}


def _body(incoming: Request) -> bytes:
    """Read the body raw, never more than any alert needs."""
    if (incoming.content_length or 0) > BODY_BYTES:
        raise _too_large()
    body = bytearray()
    while len(body) <= BODY_BYTES:
        part = _part(incoming, BODY_BYTES + 1 - len(body))
        if not part:
            if len(body) < (incoming.content_length or 0):
                # Half of a text message reads as a whole one, and a wider one.
                raise MalformedBody("The body was cut off on its way.")
            return bytes(body)
        body += part
    raise _too_large()


def _part(incoming: Request, most: int) -> bytes:
    try:
        return incoming.stream.read(most)
    except Exception:  # noqa: BLE001 - each server has its own errors; whichever it is, the body is not whole
        raise MalformedBody("The body was cut off on its way, or is not chunked as it should be.") from None


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body is over {BODY_BYTES // 1024} KiB, which no alert needs.")
