"""What `-v` and `-vv` show: the library's own log, on stderr, with nothing in it that opens anything.

    k2l loop …          only what takes minutes or is waited for, a `NOTE:` each
    k2l -v loop …       calls of the service, what was found where, what was decided
    k2l -vv loop …      details too, and the traceback of an error that ends the command

Only our own modules are listened to: what other packages log holds signed URLs. Nobody logs a credential; should one
come along in a foreign error all the same, the formatter leaves out queries and keys.
"""

import logging
import re
import time
from typing import Annotated, Any

import typer
from typer.core import TyperOption

from scripts.terminal.verbs import OUTPUT

OURS = ("local", "shared", "scripts")
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
HELP = "Show on stderr what is asked, found and decided; -vv in detail."
# A URL's query, what an Authorization header holds, an access token.
_OPENS = re.compile(
    r"(?P<query>\?)[\w.~%-]+=[^\s'\")>]*|(?P<scheme>(?i:basic|bearer) )[\w.~+/=-]{8,}|(?P<token>KGAT_)\w+"
)


class Lines(logging.Formatter):
    """`   0.412 s  local.kaggle_api.http: POST …`; the edge makes it safe for the terminal."""

    def __init__(self) -> None:
        super().__init__("%(seconds)8.3f s  %(name)s: %(message)s")
        self.began = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        record.seconds = time.monotonic() - self.began
        line = f"NOTE: {record.getMessage()}" if record.levelno >= logging.WARNING else super().format(record)
        return closed(line)


class Said(logging.Handler):
    """Writes to whatever is stderr at that moment: above a progress bar, while one is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        from scripts.terminal.output import say_all

        say_all(self.format(record))


def closed(text: str) -> str:
    """The text without queries, keys and tokens."""
    return _OPENS.sub(lambda found: next(filter(None, found.groupdict().values())) + "…", text)


def configure(count: int | None) -> None:
    """Listens from now on: at 0 to what everybody should know, at 1 to what was done, from 2 on to details too.

    Asked twice, the more counts.
    """
    for name in OURS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, Said) for one in logger.handlers):
            handler = Said()
            handler.setFormatter(Lines())
            logger.addHandler(handler)
            logger.setLevel(logging.WARNING)
        logger.setLevel(min(logger.level, LEVELS[min(count or 0, 2)]))


def quiet() -> None:
    """Listens no more: a command line has ended."""
    for name in OURS:
        logger = logging.getLogger(name)
        for handler in [one for one in logger.handlers if isinstance(one, Said)]:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)


def _asked(context: Any, parameter: Any, count: int | None) -> int | None:
    configure(count)
    return count


Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, callback=configure, show_default=False, help=HELP)]


def listening(command: Any) -> Any:
    """The command, with `-v` among its options, for those who think of it after the verb."""
    command.params.append(
        TyperOption(
            param_decls=["-v", "--verbose"],
            type=int,
            count=True,
            expose_value=False,
            is_eager=True,
            callback=_asked,
            show_default=False,
            rich_help_panel=OUTPUT,
            help=HELP,
        )
    )
    return command
