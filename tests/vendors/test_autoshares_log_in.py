"""Autoshares' log-ins, fed with answers: a user who is refused is told from all else."""

import pytest

from relay.errors import CredentialRefused, Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer, Call
from tests.vendors.dialogue import answer, came_of, held, kind_of, said_of
from tests.vendors.of_autoshares import AS, DENIED, NO_APPLICATION, NO_ROUTE, PASSWORD, USERNAME


def failed(reason: str, step: str = "BaseAuthentication") -> dict[str, str]:
    """Give the body of a log-in that failed."""
    return {"State": "Failed", "Step": step, "Reason": reason, "ConfirmationToken": ""}


def expecting(step: str, reason: str) -> dict[str, str]:
    """Give the body of a log-in that wants another step."""
    return {"State": "Expecting", "Step": step, "Reason": reason, "Token": "interim"}


@pytest.mark.promise(8)
def test_a_token_is_asked_for_by_name_and_password() -> None:
    """A POST without a body, with two headers; the token goes with every later call, after one blank."""
    ((sent,), session) = held(AS.log_in(), answer({"State": "Succeeded", "Token": "VGhpcy9pcw=="}))

    assert sent == Call(
        "POST", "/token", headers={"Username": USERNAME, "Password": PASSWORD}, limit="log-ins"
    )
    assert sent.body is None
    assert session == {"Authorization": "Bearer VGhpcy9pcw=="}


@pytest.mark.promise(9)
def test_no_credential_shows_in_what_is_printed() -> None:
    """Neither the vendor nor its log-in tells the password."""
    assert PASSWORD not in repr(AS) + repr(next(AS.log_in()))


@pytest.mark.promise(8)
@pytest.mark.parametrize("state", ["Succeeded", "succeeded", "SUCCEEDED"])
@pytest.mark.parametrize("names", [("State", "Token"), ("state", "token"), ("STATE", "TOKEN")], ids=str)
def test_a_token_is_read_in_any_case(names: tuple[str, str], state: str) -> None:
    """The keys differ by error already: nothing hangs on their case."""
    body = dict(zip(names, (state, "abc"), strict=True))

    assert came_of(AS.log_in(), answer(body)) == {"Authorization": "Bearer abc"}


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(
            answer(failed("Invalid credentials"), 401),
            "Autoshares refuses the log-in: Invalid credentials",
            id="wrong password",
        ),
        pytest.param(
            answer(failed("Your Password has expired and must be changed"), 401),
            "Autoshares refuses the log-in: Your Password has expired and must be changed",
            id="expired password",
        ),
        pytest.param(
            answer(failed("PIN code is not init", "SecutityPin"), 401), "PIN code is not init", id="no PIN"
        ),
        pytest.param(
            answer(DENIED, 401), "Autoshares refuses the log-in: Authorization has been denied", id="denied"
        ),
        pytest.param(answer(b"", 401), "Autoshares refuses the log-in", id="401, empty"),
        *(
            pytest.param(
                answer(failed("Invalid credentials"), status),
                "Autoshares refuses the log-in: Invalid credentials",
                id=f"failed, with a {status}",
            )
            for status in (200, 202, 400, 403, 422)
        ),
        *(
            pytest.param(
                answer(NO_APPLICATION, status),
                "Autoshares refuses the log-in: Application key is not defined",
                id=f"the application, with a {status}",
            )
            for status in (401, 403)
        ),
        *(
            pytest.param(
                answer(expecting("SecutityPin", "Invalid pin"), status),
                "asks for another step at the log-in, SecutityPin (Invalid pin), which a relay cannot give",
                id=f"a PIN, with a {status}",
            )
            for status in (200, 202)
        ),
        pytest.param(
            answer(expecting("VerificationCode", "Expecting confirmation code"), 202),
            "asks for another step at the log-in, VerificationCode (Expecting confirmation code)",
            id="a code",
        ),
        pytest.param(
            answer({"state": "EXPECTING", "step": "VerificationCode", "token": "interim"}, 202),
            "asks for another step",
            id="a code, in another case",
        ),
    ],
)
def test_a_user_who_is_refused_is_told_from_all_else(given: Answer, says: str) -> None:
    """The vendor's own word against the user, and what to do about it: it must not be tried again."""
    said = said_of(AS.log_in(), given)

    assert type(said) is CredentialRefused
    assert says in said.words


#: Answers in which there is no token that a header can carry.
_NO_TOKENS: list[object] = [
    *(
        b"",
        b"<html>",
        [],
        {},
        "abc",
        {"Token": "abc"},
        {"State": "Succeeded"},
        {"State": None, "Token": "abc"},
    ),
    *({"State": "Succeeded", "Token": token} for token in ("", None, 7, "a\r\nX-Evil: 1", "tökén", "a\x00b")),
    *({"State": state, "Token": "abc"} for state in ("Pending", "Success", True, 1)),
]


@pytest.mark.promise(8)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        pytest.param(answer(b"", 403), Refused, id="403, empty"),
        pytest.param(answer(b"<html>blocked</html>", 403), Refused, id="403, of something in between"),
        pytest.param(answer(NO_ROUTE, 404), Refused, id="404, no such address"),
        pytest.param(answer(b"", 404), Refused, id="404, empty"),
        pytest.param(answer(b"", 409), Refused, id="409"),
        pytest.param(answer(b"", 302, location="https://x"), Refused, id="a redirect"),
        pytest.param(answer(b"", 429), Throttled, id="429"),
        pytest.param(answer(b"", 408), Unknown, id="408"),
        pytest.param(answer(b"", 500), Unknown, id="500"),
        pytest.param(answer(failed("Invalid credentials"), 503), Unknown, id="503, though it says no"),
        pytest.param(answer(b"", 204), Unreadable, id="204"),
        pytest.param(answer({"State": "Succeeded", "Token": "abc"}, 201), Unreadable, id="201"),
        *(pytest.param(answer(body), Unreadable, id=f"200, {body!r}") for body in _NO_TOKENS),
    ],
)
def test_a_log_in_that_comes_to_nothing_is_no_word_about_the_user(
    given: Answer, kind: type[VendorError]
) -> None:
    """A wrong key or address, trouble of the server's and an answer without a token are told apart.

    None of them is taken for a word about an order.
    """
    assert kind_of(AS.log_in(), given) is kind
