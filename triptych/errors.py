"""Errors that a caller can do something about."""


class TriptychError(Exception):
    """Something is wrong that the message explains: what, which limit, how to go on."""


class ClipError(TriptychError):
    """The clip cannot be analysed: unreadable, without any stream, or over a limit. Sent as INVALID_ARGUMENT."""


class RequestError(TriptychError):
    """What was asked for cannot be done with any clip: a request parameter is wrong. Sent as UNIMPLEMENTED."""


class CallerLeftError(TriptychError):
    """Nobody waits for the answer any more. Sent as CANCELLED, if anybody listens."""

    def __str__(self) -> str:
        return super().__str__() or "the caller has left"
