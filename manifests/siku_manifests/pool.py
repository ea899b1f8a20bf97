"""The local engine: ranges of a phase run in spawned worker processes.

Spawned, not forked: pyarrow and numba hold threads that a fork would break. Nothing heavy is imported here,
so a worker can set its thread counts before numpy or pyarrow reads them.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path

from siku_manifests.atomic import PARTIAL_SUFFIX, sync_folder
from siku_manifests.errors import SikuError, storage_errors
from siku_manifests.stage import Context, Phase, Range, load_function

_ONE_THREAD = ("OMP_NUM_THREADS", "ARROW_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS")


def run_ranges(context: Context, phase: Phase, ranges: Sequence[Range]) -> Iterator[Range]:
    """Do the work of ranges, yielding each as it is finished, in any order.

    With one worker or one range it happens in this process, so that a long range can show its own progress.

    Raises:
        SikuError: a worker process died, which on Linux mostly means that memory ran out.
    """
    workers = min(context.workers, len(ranges))
    if workers <= 1:
        for range_ in ranges:
            run_range(context, phase, range_)
            yield range_
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_prepare_worker) as pool:
        try:
            futures = {pool.submit(run_range, context, phase, range_): range_ for range_ in ranges}
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BrokenProcessPool as error:
            msg = (
                f"{phase.name}: a worker process died, most often because memory ran out. Run the same command "
                f"again with --workers {max(1, workers // 2)}; what is finished is kept."
            )
            raise SikuError(msg) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def run_range(context: Context, phase: Phase, range_: Range) -> None:
    """Do one range in a folder of its own and give that its final name when all is written."""
    final = context.part(phase.name, range_.number)
    partial = final.with_name(final.name + PARTIAL_SUFFIX)
    with storage_errors(final):
        if partial.exists() and not phase.resumable:
            shutil.rmtree(partial)
        partial.mkdir(parents=True, exist_ok=True)
        load_function(phase.work)(context, range_, partial)
        partial.replace(final)
        sync_folder(final.parent)


def remove_partial(folder: Path) -> None:
    """Remove what a killed run left half done."""
    for partial in folder.glob(f"*{PARTIAL_SUFFIX}"):
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


def _prepare_worker() -> None:
    """One thread a library, since the workers fill the cores; and no life after the parent's death.

    An orphan that went on writing would meet the rerun in the same folder.
    """
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()


def _die_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
