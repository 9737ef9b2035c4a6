"""Say what CrossTrade's documents leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.sandbox.book_behaviour import BookBehaviour


@dataclass
class CrossTradeBehaviour(BookBehaviour):
    """Set what the documents leave open, and what is on or off; may be changed at any time.

    `connected` is whether the add-on inside NinjaTrader answers; `connection_status` is NinjaTrader's own
    line to the exchange. `burst` and `per_second` are the user's budget; there is none where `burst` is
    None. `retry_after` is where a 429 says how long to wait. `error_shape`: "documented" is each page's
    own, "bare" is `{"error"}` without `success`, "envelope" has `success`, `error` and `detail`.

    Over the WebSocket. `pong`: "frame" answers the ping action with one of the API's own, "nothing" does not
    answer it [U]. `rpc_errors`: "data" puts REST's error body where its others are [I], "error" gives its
    words a key of their own beside the id [U]. `streams`: what is sent before each answer; "asked" is what a
    client subscribed to, "unasked" are quotes and profit whether it did or not.
    """

    connected: bool = True
    connection_status: str = "Connected"
    burst: int | None = 20
    per_second: float = 3.0
    retry_after: Literal["header", "body", "both"] | None = None
    error_shape: Literal["documented", "bare", "envelope"] = "documented"
    unknown_account_status: Literal[400, 200] = 400
    unknown_order_status: Literal[404, 400] = 404
    unknown_instrument: Literal["refused", "nothing"] = "refused"
    cancelall_names_orders: bool = True
    outside_api: Literal["redirect", "not_found"] = "redirect"
    pong: Literal["frame", "nothing"] = "frame"
    rpc_errors: Literal["data", "error"] = "data"
    streams: Literal["asked", "unasked", "none"] = "asked"
