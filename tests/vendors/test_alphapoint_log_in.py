"""AlphaPoint's log-ins, fed with answers: a credential that is refused is told from all else."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from relay.errors import CredentialRefused, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Call, Frame
from relay.vendors.alphapoint import AlphaPoint
from tests.vendors.dialogue import answer, came_of, held, kind_of, said_of
from tests.vendors.of_alphapoint import (
    AP,
    API_KEY,
    API_SECRET,
    BY_PASSWORD,
    NONCE,
    TOOK,
    refusal,
    row,
)


def by_hand(secret: bytes, message: bytes) -> str:
    """Sign as RFC 2104 says, without the library that the relay uses."""
    key = secret.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()


@pytest.mark.promise(8)
def test_an_api_key_logs_in_by_its_signature() -> None:
    """The signature is the lowercase hex HMAC-SHA256 of nonce, user and key, one after the other."""
    ((sent,), session) = held(AP.log_in(), answer({"Authenticated": True, "SessionToken": "token-1"}))

    signature = by_hand(API_SECRET.encode(), f"{NONCE}96{API_KEY}".encode())
    assert signature == "efd84fb9f496c532ea4c1fe3dbc058d63b95c2b285ea45517ee63b602be879eb"
    shown = {"Nonce": NONCE, "APIKey": API_KEY, "Signature": signature, "UserId": "96"}
    frame = Frame("AuthenticateUser", shown)
    assert sent == Call("GET", "/AuthenticateUser", headers=shown, limit="log-ins", frame=frame)
    assert session == {"APToken": "token-1"}


@pytest.mark.promise(8)
def test_each_log_in_has_a_nonce_of_its_own() -> None:
    """A signature that somebody saw is of no use with the next number."""
    numbers = iter(["1", "2"])
    vendor = replace(AP, nonce=lambda: next(numbers))

    one, two = (next(vendor.log_in()).headers for _ in range(2))

    assert (one["Nonce"], two["Nonce"]) == ("1", "2")
    assert one["Signature"] != two["Signature"]


@pytest.mark.promise(8)
def test_a_user_logs_in_by_name_and_password() -> None:
    """Basic credentials, in UTF-8, to Authenticate, or plain in a frame; the session is alike."""
    ((sent,), session) = held(
        BY_PASSWORD.log_in(), answer({"Authenticated": True, "UserId": 96, "SessionToken": "token-2"})
    )

    basic = base64.b64encode("trader@example.com:pass:wörd".encode()).decode()
    assert sent == Call(
        "GET",
        "/Authenticate?grant_type=client_credentials",
        headers={"Authorization": f"Basic {basic}"},
        limit="log-ins",
        frame=Frame("AuthenticateUser", {"UserName": "trader@example.com", "Password": "pass:wörd"}),
    )
    assert session == {"APToken": "token-2"}


@pytest.mark.promise(9)
@pytest.mark.parametrize("vendor", [AP, BY_PASSWORD], ids=["by signature", "by password"])
def test_no_credential_shows_in_what_is_printed(vendor: AlphaPoint) -> None:
    """Neither the vendor nor its log-in tells a key, a secret, a password or a signature."""
    call = next(vendor.log_in())
    sent = [value for name, value in call.headers.items() if name not in {"Nonce", "UserId"}]

    for secret in (API_KEY, API_SECRET, "wörd", *sent):
        assert secret not in repr(vendor) + repr(call)


@pytest.mark.promise(8)
@pytest.mark.parametrize("names", [str, str.lower, str.upper])
def test_a_session_is_read_in_any_case_of_the_keys(names: Callable[[str], str]) -> None:
    """Documents write `authenticated`, servers `Authenticated`."""
    body = {names("Authenticated"): True, names("SessionToken"): "abc", names("Requires2FA"): False}

    assert came_of(AP.log_in(), answer(body)) == {"APToken": "abc"}


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(
            answer({"authenticated": False, "locked": False, "errormsg": "Invalid username or password"}),
            "AlphaPoint refuses the log-in: Invalid username or password.",
            id="200",
        ),
        pytest.param(answer({"Authenticated": False}, 401), "AlphaPoint refuses the log-in.", id="401"),
        pytest.param(answer(b"", 401), "AlphaPoint refuses the log-in.", id="401, empty"),
        pytest.param(answer(b"<html>", 401), "AlphaPoint refuses the log-in.", id="401, unreadable"),
        pytest.param(answer({"Authenticated": False}, 400), "AlphaPoint refuses the log-in.", id="400"),
        pytest.param(
            answer(refusal(20, "Not Authorized")),
            "AlphaPoint refuses the log-in: Not Authorized.",
            id="errorcode 20",
        ),
        pytest.param(
            answer({"Authenticated": False, "Locked": True, "errormsg": "User is locked"}),
            "The user is locked: an administrator has to unlock it.",
            id="locked",
        ),
        pytest.param(
            answer(
                {"Authenticated": True, "Requires2FA": True, "AuthType": "Google", "Pending2FaToken": "x"}
            ),
            "a second factor, which a relay cannot give: use an API key (ALPHAPOINT_API_KEY",
            id="a second factor",
        ),
        pytest.param(
            answer({"Authenticated": True, "Requires2FA": True, "SessionToken": "abc"}),
            "a second factor",
            id="a second factor beside a session",
        ),
    ],
)
def test_a_credential_that_is_refused_is_told_from_all_else(given: Answer, says: str) -> None:
    """The vendor's own word against the credential, and what to do about it: it must not be tried again."""
    said = said_of(AP.log_in(), given)

    assert type(said) is CredentialRefused
    assert says in said.words


#: Answers in which there is no session that a header can carry.
_NO_SESSIONS: list[object] = [
    *(b"", b"<html>", [], {}, {"SessionToken": "abc"}, {"Authenticated": True}),
    *({"Authenticated": yes, "SessionToken": "abc"} for yes in ("true", 1, None)),
    *({"Authenticated": True, "SessionToken": token} for token in ("", None, 7, "a\r\nX-Evil: 1", "tökén")),
]


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(answer({"Authenticated": False}, 500), Unknown, id="500, though it says no"),
        pytest.param(answer(b"", 502), Unknown, id="502"),
        pytest.param(answer(b"", 408), Unknown, id="408"),
        pytest.param(answer({}, 429, retry_after="2"), Throttled, id="429"),
        pytest.param(answer(b"<html>", 404), Refused, id="404"),
        pytest.param(answer(b"", 403), Refused, id="403"),
        pytest.param(answer(b"", 302, location="https://x"), Refused, id="a redirect"),
        pytest.param(answer(refusal(102, "Server Error")), Unknown, id="errorcode 102"),
        pytest.param(answer(refusal(100, "Invalid Request")), Refused, id="errorcode 100"),
        *(pytest.param(answer(body), Unreadable, id=f"200, {body!r}") for body in _NO_SESSIONS),
    ],
)
def test_a_log_in_that_comes_to_nothing_is_no_word_about_the_credential(
    given: Answer, kind: type[VendorError]
) -> None:
    """Trouble of the server's, an address that is wrong and an answer without a session are told apart."""
    assert kind_of(AP.log_in(), given) is kind


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("given", "ended"),
    [
        (answer(b"", 401), True),
        (answer(b"Unauthorized", 401), True),
        (answer(b"", 404), True),
        (answer(b"<html>", 404), True),
        (answer(refusal(20, "Not Authorized")), True),
        (answer({"ErrorCode": 20}, 200), True),
        (answer({"errorcode": "20"}, 401), True),
        (answer(refusal(104), 404), False),
        (answer(refusal(104), 401), False),
        (answer(refusal(100), 401), False),
        (answer(b"", 403), False),
        (answer(b"", 500), False),
        (answer([row()]), False),
        (TOOK, False),
    ],
    ids=str,
)
def test_the_end_of_a_session_is_seen(given: Answer, *, ended: bool) -> None:
    """401, NDAX's 404 and errorcode 20 may mean it; a number that means something else does not."""
    assert AP.session_ended(given) is ended
