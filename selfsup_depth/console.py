"""What a command's process says and hears: our messages, not every library's; signals as exits."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator

_OURS = "selfsup_depth"
# A hang-up ends a run as a termination does.
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


@contextlib.contextmanager
def console(quiet: bool) -> Iterator[None]:
    """Behave as a command does while the context lasts.

    Args:
        quiet: hide warnings and notices of other libraries (advice on worker counts, on
            hardware, on what they will deprecate) that the reader can do nothing about.
    """
    with _import_path_restored(), _signals_exit(), _logs_to_stderr(quiet), warnings.catch_warnings():
        if quiet:
            warnings.simplefilter("ignore")
            warnings.filterwarnings("default", module=_OURS)
        yield


@contextlib.contextmanager
def _import_path_restored() -> Iterator[None]:
    """Take back what a user's module needed to be found: it may import others while the command runs."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


@contextlib.contextmanager
def _signals_exit() -> Iterator[None]:
    """Leave by SystemExit on a signal, through every `finally`, with the signal's exit code."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: types.FrameType | None) -> None:
        sys.exit(EXIT_CODES[signal.Signals(number)])

    def stay(number: int, frame: types.FrameType | None) -> None:
        """Nothing is there to be saved yet, or any more."""

    handlers: dict[signal.Signals, Callable[[int, types.FrameType | None], None]] = {
        signal.SIGUSR1: stay,
        **dict.fromkeys(EXIT_CODES, leave),
    }
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del handlers[signal.SIGHUP]  # started by nohup
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _logs_to_stderr(quiet: bool) -> Iterator[None]:
    """Our notices as plain lines; of other libraries only errors, all of them if not quiet."""
    handlers = {name: logging.StreamHandler(sys.stderr) for name in (_OURS, "")}
    handlers[""].addFilter(lambda record: not record.name.startswith(_OURS))
    handlers[""].setFormatter(logging.Formatter("%(name)s: %(message)s"))
    handlers[""].setLevel(logging.ERROR if quiet else logging.INFO)
    ours = logging.getLogger(_OURS)
    level = ours.level
    ours.setLevel(logging.INFO)
    for name, handler in handlers.items():
        logging.getLogger(name).addHandler(handler)
    try:
        with _heard_by_the_root():
            yield
    finally:
        for name, handler in handlers.items():
            logging.getLogger(name).removeHandler(handler)
        ours.setLevel(level)


@contextlib.contextmanager
def _heard_by_the_root() -> Iterator[None]:
    """Lightning prints on its own if nobody listened when it was imported; not while we listen."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [], True
    try:
        yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
