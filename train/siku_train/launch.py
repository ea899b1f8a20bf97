"""Several processes for one run: started here, stopped together, and one of them speaks for all.

    siku pretrain RECIPE --set pretrain.processes=2

starts two processes on this machine that find each other through torch's own environment variables, as if
torchrun had started them. The parent trains nothing: it passes signals on, waits, and ends the others when one
dies. No process outlives the parent, since an orphan would go on writing where the next run works.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, NoReturn, cast

import torch

from siku_manifests.errors import Interrupted, SikuError

GRACE_SECONDS = 60
"""Left to the others for saving after one process ended of itself; then they are killed."""


def rank() -> int:
    """Number of this process among those that share a run, from 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Number of the GPU that is this process's."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """Processes that share the run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def run_processes(work: Callable[..., None], arguments: Sequence[Any], *, count: int) -> None:
    """Run a top-level function in several processes that torch.distributed can connect, and wait for all.

    Args:
        work: called as `work(*arguments)` in each, under another `rank()`.
        arguments: what can be pickled.
        count: processes.

    Raises:
        SikuError: what a process raised, or that one died.
        Interrupted: a signal came; the processes were told and have saved.
    """
    spawn = multiprocessing.get_context("spawn")
    port = _free_port()
    pipes = [spawn.Pipe(duplex=False) for _ in range(count)]
    processes = []
    for number, (_, given) in enumerate(pipes):
        place = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": count, "MASTER_PORT": port}
        processes.append(spawn.Process(target=_begin, args=(work, tuple(arguments), place, given)))
    with _passing_signals_on(processes):
        for process, (_, given) in zip(processes, pipes, strict=True):
            process.start()
            given.close()  # the child has it now, and a pipe ends when nobody holds it
        ended_here = _wait(processes)
    _raise_first_error(processes, [end for end, _ in pipes], ended_here)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def _passing_signals_on(processes: Sequence[SpawnProcess]) -> Iterator[None]:
    def pass_on(number: int, frame: object) -> None:  # noqa: ARG001  a handler's signature
        for process in processes:
            if process.pid is not None and process.is_alive():
                process.terminate()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[SpawnProcess]) -> list[SpawnProcess]:
    """Wait for all; once one failed, the others wait for it in vain, and are ended and returned."""
    ended: list[SpawnProcess] = []
    waiting = {process.sentinel: process for process in processes}
    while waiting:
        failed = any(process.exitcode for process in processes)
        ready = connection.wait(list(waiting), timeout=GRACE_SECONDS if failed else None)
        if failed and not ready:
            ended = list(waiting.values())
            for process in ended:
                process.kill()
        for sentinel in ready:
            waiting.pop(cast("int", sentinel)).join()
    return ended


def _raise_first_error(
    processes: Sequence[SpawnProcess], ends: Sequence[Connection], ended_here: Sequence[SpawnProcess]
) -> None:
    errors = [error for error in map(_received, ends) if error]
    errors.sort(key=lambda error: isinstance(error, Interrupted))  # a cause comes before those that it stopped
    if errors:
        raise errors[0]
    for number, process in enumerate(processes):
        if process.exitcode and process not in ended_here:
            how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"status {process.exitcode}"
            msg = (
                f"process {number} of {len(processes)} ended with {how}, often because memory ran out; run the same "
                f"command again: it goes on from the last checkpoint."
            )
            raise SikuError(msg)


def _received(end: Connection) -> SikuError | None:
    try:
        error: SikuError = end.recv()
    except EOFError:  # it ended without a word
        return None
    return error


def _begin(work: Callable[..., None], arguments: tuple[Any, ...], place: dict[str, int], end: Connection) -> None:
    """Be one of the processes: say who one is, do the work, report an error that is meant for people."""
    os.environ.update({name: str(value) for name, value in place.items()}, MASTER_ADDR="127.0.0.1")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    try:
        work(*arguments)
    except SikuError as error:
        end.send(error)
        sys.exit(error.exit_status)
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _stop(number: int, frame: object) -> NoReturn:  # noqa: ARG001  a handler's signature
    msg = "stopped by a signal before the first step; run the same command to begin again."
    raise Interrupted(msg)


def _die_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


@contextlib.contextmanager
def collected_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying of them: a step is finished and saved first."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda received, _: came.append(received))
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def add_over_processes(value: int, device: torch.device) -> int:
    """Sum a number over the processes of a run; itself where there is one process."""
    if world_size() == 1:
        return value
    total = torch.tensor(value, device=device)
    torch.distributed.all_reduce(total)
    return int(total)


def wait_for_all() -> None:
    """Wait until every process of the run is here."""
    if world_size() > 1:
        torch.distributed.barrier()
