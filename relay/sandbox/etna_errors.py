"""Know the words in which ETNA Trader refuses; the case of the keys differs as it does there.

`web-api/trading-api` and `pages/error-codes.md` in https://github.com/AutoSharesAPI/API show these bodies;
`openapi.json` says that errors have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import responses
from typing import Literal

from relay.sandbox.wire import Answer

#: Which errors have a body: those a page shows it of, none, or all.
Bodies = Literal["documented", "empty", "json"]

NO_SUCH_KEY = {"error": "Application key is not defined or does not exist"}
DENIED = {"Message": "Authorization has been denied for this request."}

#: ASP.NET's words for a number that is none [I].
INVALID = {"Message": "The request is invalid."}

BROKEN = {
    "message": "An error occurred while processing your request",
    "error": "Unexpected server error",
}

#: What a page shows of a status; the others are documented to have no content.
ERRORS: Mapping[int, Mapping[str, str]] = {401: DENIED, 403: NO_SUCH_KEY, 500: BROKEN}


def error(status: int, documented: Mapping[str, str] | None, bodies: Bodies) -> Answer:
    """Refuse with the body that is documented, or as `bodies` has it."""
    if bodies == "empty" or (bodies == "documented" and documented is None):
        return Answer(status, b"")
    return Answer.json(status, documented or {"Message": responses.get(status, str(status))})
