"""Name what the documents of ETNA Trader leave open, so that a stand-in can be either way.

Marks: [I] inferred, [U] unknown, [!] the documents contradict each other. The documents are those of
https://github.com/AutoSharesAPI/API; its `pages/` are newer, and weaker, than its `web-api/` and its schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.sandbox.book_behaviour import BookBehaviour


@dataclass
class AutosharesBehaviour(BookBehaviour):
    """Set what the documents leave open or contradict, and what is on or off; may be changed at any time.

    `login`: what is asked for besides the password. `admin_required`: the user is none, so that a cancel is
    a 401, as the older documents have it. `error_bodies`: "documented" is JSON where a page shows it, "empty"
    none at all, as in the schema, "json" everywhere. A `syncorders` cancel waits `sync_after_s`, in real
    seconds, for the venue; where `cancel_after_s` is None the venue stays silent, and the wait ends in
    `sync_timeout_status`. There is no limit where a `…_per_minute` is None.
    """

    login: Literal["password", "pin", "code"] = "password"
    login_refused: Literal["expired_password", "pin_not_set"] | None = None
    pin_code: str = "1234"
    verification_code: str = "246810"
    token_life_s: float = 86400.0  # 24 hours; pages/rate-limits.md says 60 minutes [!]
    app_key_status: Literal[403, 401] = 403  # the schema's; pages/error-codes.md says 401 [!]
    admin_required: bool = False  # the older documents only [!]
    access_type: Literal["Full", "Owner", "ReadOnly", "ClosePositionsOnly"] = "Full"
    cancel_status: Literal[204, 200] = 204
    sync_after_s: float = 0.1
    sync_timeout_status: Literal[500, 409] = 500  # [U]
    unknown_order_status: Literal[409, 422, 500] = 409  # to a cancel [U]
    unread_order_status: Literal[404, 422, 500] = 404  # to a look; the schema names no 404 [!]
    bad_id_status: Literal[400, 404] = 400  # [U]
    error_bodies: Literal["documented", "empty", "json"] = "documented"
    page_links: Literal["absolute", "relative", "empty", "null"] = "absolute"
    page_links_keep_query: bool = False
    page_too_large: Literal["refused", "clamped"] = "refused"
    shows_symbol: bool = True  # the samples do not
    no_exec_inst: Literal["None", "zero"] = "zero"  # the schema's and the samples' [!]
    held_number: int | None = 16  # [I]
    tokens_per_minute: int | None = 10
    actions_per_minute: int | None = 50  # for each account
    queries_per_minute: int | None = 120  # of a user
    retry_after: bool = True
