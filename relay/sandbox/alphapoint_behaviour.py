"""Say what an AlphaPoint server may do differently from the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.sandbox.book_behaviour import BookBehaviour

#: What CancelAllOrders reads besides AccountId, which differs from version to version.
Version = Literal["3.2", "3.3", "3.5-InstrumentId", "3.5-IntrumentId", "both"]


@dataclass
class AlphaPointBehaviour(BookBehaviour):
    """Set what the documents leave open, and what is on or off; may be changed at any time.

    Log-in. `session_idle_s`: a session ends so long after its last call; 0 ends all of them at once.
    `session_ended` answers a call without a session: 404 is NDAX's [3P], 401 is common [I], 200 carries
    errorcode 20 [I]. `bad_login_status` goes with the documented words. `two_factor_code` is the code that
    has to follow a password; None asks for none. `api_key_needs_two_factor` asks for it after a signature
    too [U]. `lock_after` failed log-ins in rapid succession lock the user, how many is not said [U]; None
    never does. `locked` stays until it is switched off, as by an administrator.

    CancelAllOrders. `version`: "3.2" reads UserId and InstrumentId, "3.3" neither, "3.5-…" the key of that
    spelling, "both" either of them. `without_account`: what AccountId 0 or none does where no UserId is
    read; "oms-wide" takes everybody's orders, 100 and 20 refuse. `unknown_instrument`: "refused" is 100,
    "accepted" says true, does nothing and leaves the rest to an event.

    CancelOrder. `gone_order`: "104" says so at once, "accepted" says true and leaves the rest to an event.
    `strangers_order`: the errorcode for an order in an account of somebody else [I]. `client_id_key`: which
    spelling is read [!]. `client_id_without_account`: "refused" is 100, "any" takes an order that fits, no
    matter whose. `needs_code` refuses every cancel without a 2FACode [3P]. `refuse_with` refuses every
    cancel with that errorcode.

    Replies. `status_of_one`: GetOrderStatus answers with an array of one order, as documented, or with the
    order, as other people's clients expect it [3P]. `words`: states, sides and types as words [3P] or as
    the numbers of the documents [!]. `no_message` is the errormsg of a success [!]. `keys`: in the case
    of the wire [3P] or of the documents [!]. `error_status` is the HTTP status of an error object [U].
    `first_order_id` may lie beyond 2^53.

    Over the WebSocket. `error_frame`: an error object comes as a reply, type 1, or as an error, type 5 [U].
    `unknown_call`: an error frame carries an error object or free text [U]. `ended_session`: when a socket's
    session has ended, its calls are "refused" as not authorized, or the socket "closes" too [U], with
    `ended_session_code`. `event_numbers`: an event is "counted" by the server, or has 0 [U]. `events_first`:
    an event may overtake the reply of the call that led to it.
    """

    session_idle_s: float = 3600.0
    session_ended: Literal[404, 401, 200] = 404
    bad_login_status: Literal[200, 401, 404] = 200
    two_factor_code: str | None = None
    api_key_needs_two_factor: bool = False
    lock_after: int | None = 5
    locked: bool = False
    version: Version = "3.5-IntrumentId"
    without_account: Literal["oms-wide", 100, 20] = "oms-wide"
    unknown_instrument: Literal["refused", "accepted"] = "refused"
    gone_order: Literal["104", "accepted"] = "104"
    strangers_order: Literal[20, 104] = 20
    client_id_key: Literal["both", "ClOrderId", "ClientOrderId"] = "both"
    client_id_without_account: Literal["refused", "any"] = "refused"
    needs_code: bool = False
    refuse_with: Literal[20, 100, 101, 102, 104, 106] | None = None
    status_of_one: Literal["object", "array"] = "object"
    words: Literal["words", "numbers"] = "words"
    no_message: Literal["null", "empty"] = "null"
    keys: Literal["pascal", "camel"] = "pascal"
    error_status: Literal[200, 400, 500] = 200
    first_order_id: int = 2_543_565_230
    error_frame: Literal["reply", "error"] = "reply"
    unknown_call: Literal["standard", "text"] = "standard"
    ended_session: Literal["refused", "closes"] = "refused"
    ended_session_code: int = 1000
    event_numbers: Literal["counted", "zero"] = "counted"
    events_first: bool = False
