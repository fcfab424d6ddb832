"""Errors that a caller can do something about."""


class TriptychError(Exception):
    """Something is wrong that the message explains: what, which limit, how to go on."""


class ClipError(TriptychError):
    """The clip cannot be analysed: unreadable, without any stream, or over a limit. Sent as INVALID_ARGUMENT."""


class RequestError(TriptychError):
    """What was asked for cannot be done with any clip: a request parameter is wrong. Sent as UNIMPLEMENTED."""


class CallerLeft(TriptychError):  # noqa: N818  (it is the condition's name)
    """The caller of a request has gone: nobody waits for it. Sent as CANCELLED, where the graph takes an error."""

    def __str__(self) -> str:
        return "the caller has left"
