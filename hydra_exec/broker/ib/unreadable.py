"""Messages that the client's decoder cannot take apart: it only logs them, and they would be gone."""

import logging

from hydra_exec.broker.ib.hearing import UNREADABLE, Hearing
from hydra_exec.broker.port import NoticeKind


class UnreadableHandler(logging.Handler):
    """The decoder only logs a message that it cannot take apart; this makes a notice of it."""

    def __init__(self, hearing: Hearing) -> None:
        super().__init__(logging.ERROR)
        self._hearing = hearing

    def emit(self, record: logging.LogRecord) -> None:
        """A message was lost on the way in: hold, and ask."""
        self._hearing.disturbances += 1
        self._hearing.note(
            NoticeKind.UNKNOWN_CODE, UNREADABLE, f"a message could not be read: {record.getMessage()[:400]}"
        )


def decoder_logger(hearing: Hearing) -> logging.Logger:
    """A logger of a decoder's own, which passes on to the client's."""
    logger = logging.Logger("ib_async.Decoder", logging.ERROR)
    logger.addHandler(UnreadableHandler(hearing))
    logger.parent = logging.getLogger("ib_async.Decoder")
    return logger
