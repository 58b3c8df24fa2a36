"""What `-v` and `-vv` show: the library's own log, on stderr, without credentials.

    k2l loop …          only long work and waits, each as a `NOTE:`
    k2l -v loop …       calls of the service, what was found where, what was decided
    k2l -vv loop …      details too, and the traceback of an error that ends the command

Only our own modules are shown: other packages log signed URLs. We log no credentials; if an error of another package
has one, the formatter removes queries and keys.
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
HELP = "Show on stderr what is requested, found and decided; -vv shows more."
# A URL's query, the value of an Authorization header, an access token.
_OPENS = re.compile(
    r"(?P<query>\?)[\w.~%-]+=[^\s'\")>]*|(?P<scheme>(?i:basic|bearer) )[\w.~+/=-]{8,}|(?P<token>KGAT_)\w+"
)


class LogFormatter(logging.Formatter):
    """`   0.412 s  local.kaggle_api.http: POST …`; `output` makes it safe for the terminal."""

    def __init__(self) -> None:
        super().__init__("%(seconds)8.3f s  %(name)s: %(message)s")
        self.began = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        record.seconds = time.monotonic() - self.began
        line = f"NOTE: {record.getMessage()}" if record.levelno >= logging.WARNING else super().format(record)
        return closed(line)


class LogHandler(logging.Handler):
    """Writes to the current stderr: above a progress bar, if one is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        from scripts.terminal.output import say_all

        say_all(self.format(record))


def closed(text: str) -> str:
    """The text without queries, keys and tokens."""
    return _OPENS.sub(lambda found: next(filter(None, found.groupdict().values())) + "…", text)


def configure(count: int | None) -> None:
    """Shows the log from now on: at 0 what every user should know, at 1 what was done, from 2 on details too.

    Of two calls the higher count is used.
    """
    for name in OURS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, LogHandler) for one in logger.handlers):
            handler = LogHandler()
            handler.setFormatter(LogFormatter())
            logger.addHandler(handler)
            logger.setLevel(logging.WARNING)
        logger.setLevel(min(logger.level, LEVELS[min(count or 0, 2)]))


def quiet() -> None:
    """Stops showing the log, at the end of a command line."""
    for name in OURS:
        logger = logging.getLogger(name)
        for handler in [one for one in logger.handlers if isinstance(one, LogHandler)]:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)


def _asked(context: Any, parameter: Any, count: int | None) -> int | None:
    configure(count)
    return count


Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, callback=configure, show_default=False, help=HELP)]


def listening(command: Any) -> Any:
    """The command, with `-v` among its options, so that it works after the verb too."""
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
