"""Say how the WebSockets of a stand-in broker may behave, whatever a vendor says over them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SocketBehaviour:
    """Set what RFC 6455 lets a server do, and what it does when it is ill; may be changed at any time.

    The handshake. `refuse_handshake` answers it with that HTTP status, `mute_handshake` accepts the TCP
    connection and never answers at all; a socket that waits is let in when that is switched off.

    The end. `close_after_calls`: a socket closes when so many calls have been answered or left so;
    `close_when_idle_s`: when nothing has come for so long, by the stand-in's clock. `close_code` is the code;
    None breaks the connection off without a word.

    Silence. `black_hole`: nothing is read and nothing leaves, while the connection stays; what arrived is
    read when that is switched off, what was to be sent meanwhile is lost. `pongs`: whether a protocol ping is
    answered. `ping_every_s` sends protocol pings of its own.

    Frames. `turn_round` holds answers back until there are so many, and sends the last of them first.
    `stray_answers` sends an answer to an id that nobody asked before each that somebody did. `fragments_of`
    cuts every message into frames of so many characters, `pad_to` fills it up with blanks to so many, which
    JSON allows, and `binary` sends it as a binary one.
    """

    refuse_handshake: int | None = None
    mute_handshake: bool = False
    close_after_calls: int | None = None
    close_when_idle_s: float | None = None
    close_code: int | None = 1001
    black_hole: bool = False
    pongs: bool = True
    ping_every_s: float | None = None
    turn_round: int | None = None
    stray_answers: bool = False
    fragments_of: int | None = None
    pad_to: int | None = None
    binary: bool = False
