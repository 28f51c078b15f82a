"""Reading runs ahead of computing: a generator goes on in a thread while its items are used."""

import os
import queue
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from contextvars import copy_context
from typing import NamedTuple, TypeVar, cast

__all__ = ["IN_FLIGHT", "read_ahead"]

Item = TypeVar("Item")

#: Items that exist at a time: one that is used, one that is ready, one that is being made. Whoever
#: makes them may use this many buffers in turn.
IN_FLIGHT = 3

# Seconds that closing waits for the thread. Reading a block takes far less; a caller's own iterator
# may take any time, and its thread then ends by itself.
_PATIENCE = 5.0

# The same where an error, or Ctrl-C, ended the pass: whoever is told of it waits for nothing.
_HASTE = 0.1

# Seconds between two looks at whether Ctrl-C was pressed. A blocking wait is not woken by it where
# another library, such as polars, has its own way with signals.
_LOOK = 0.2


class _Failure(NamedTuple):
    error: BaseException


class _End:
    """After the last item."""


def read_ahead(make: Callable[[], Generator[Item, None, None]]) -> Generator[Item, None, None]:
    """Yield what the generator that ``make`` returns yields, made by a thread.

    An item may be overwritten as soon as the next one is asked for. Exceptions come out here, with
    the type they have there. Closing this generator closes that one, in its thread.
    """
    ready: queue.Queue[Item | _Failure | type[_End]] = queue.Queue(IN_FLIGHT - 2)
    stop = threading.Event()
    context = copy_context()  # such as numpy.errstate, which a caller's iterator may look at
    thread = threading.Thread(
        target=context.run, args=(_fill, make, ready, stop), name="conflearn-reader", daemon=True
    )
    owner = os.getpid()
    thread.start()
    patience = _PATIENCE
    try:
        while True:
            try:
                item = ready.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if item is _End:
                return
            if isinstance(item, _Failure):
                try:
                    raise item.error
                finally:
                    del item  # the traceback holds this frame
            yield cast("Item", item)
    except GeneratorExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # it came while an item was used
            patience = _HASTE
        raise
    except BaseException:
        patience = _HASTE
        raise
    finally:
        # A forked child has no such thread, and its locks are in any state.
        if os.getpid() == owner:
            stop.set()
            with suppress(queue.Empty):
                ready.get_nowait()  # for the thread may wait for room
            thread.join(patience)


def _fill(
    make: Callable[[], Generator[Item, None, None]],
    ready: "queue.Queue[Item | _Failure | type[_End]]",
    stop: threading.Event,
) -> None:
    last: _Failure | type[_End] = _End
    try:
        with closing(make()) as items:
            for item in items:
                ready.put(item)
                if stop.is_set():
                    return
    except BaseException as error:  # noqa: BLE001 - it is the consumer's to deal with
        last = _Failure(error)
    if not stop.is_set():
        ready.put(last)
