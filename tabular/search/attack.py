"""Running an attack: jobs over processes or a Ray cluster, one small file a finished job.

A run's folder holds ``manifest.json`` (the settings, versions), for every finished job
``jobs/NUMBER-BOUND-ABOUT.json``, written atomically, and at the end ``results.json``; certificates
of refuted bounds are in ``certificates/``. Starting again with the same folder and settings does
the jobs that are missing. Whatever stops a run costs the jobs in flight and nothing else.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import socket
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bounds.library.published import find
from bounds.shared.files import read_text, write_json
from bounds.shared.numbers import InputError
from bounds.shared.progress import progress
from bounds.shared.text_table import aligned
from bounds.shared.versions import environment
from tabular.cases.files import parse_case
from tabular.certificates.write import certify
from tabular.games.json_input import MAX_BYTES
from tabular.search.ascent import require_torch
from tabular.search.attack_jobs import Job, Settings, run_job

#: What a finished job is called, and its result.
Finished = Generator[tuple[Job, dict[str, Any]], None, None]


@dataclass(frozen=True)
class Row:
    """All jobs on one bound under one cap; ``best`` is the result with the largest ratio.

    least: the smallest ratio of any job, which is the shape where the attack did worst.
    """

    bound: str
    about: str
    cap: str
    jobs: int
    least: float | None
    best: dict[str, Any]


def run_attack(
    settings: Settings,
    folder: Path,
    *,
    workers: int | None = None,
    ray: bool = False,
    address: str | None = None,
) -> int:
    """Do the jobs of ``settings`` that ``folder`` lacks; returns 1 if a valid bound was refuted.

    workers: processes; None: one a core. ray: use the Ray cluster at ``address``, or a local one.
    """
    require_torch()
    _prepare(folder, settings)
    jobs = settings.jobs()
    results = {job.number: _read(folder, job) for job in jobs if _path(folder, job).exists()}
    missing = [job for job in jobs if job.number not in results]
    source = _on_ray(missing, workers, address) if ray else _on_processes(missing, workers)
    try:
        with closing(source), progress() as bar:
            for job, result in bar.over(source, "gradient attack", len(missing)):
                results[job.number] = _kept(folder, job, result)
    except KeyboardInterrupt:
        done = f"{len(results)} of {len(jobs)} jobs are done"
        print(f"{done}; the same command with --out {folder} goes on", file=sys.stderr)
        raise
    return _conclude(folder, settings, [results[job.number] for job in jobs])


def _prepare(folder: Path, settings: Settings) -> None:
    """A new folder with its manifest, or an old one with the same settings."""
    path = folder / "manifest.json"
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"--out: {folder} holds something else; name a new folder")
        manifest = {
            "command": "python -m tabular attack",
            "settings": settings.as_json(),
        } | environment("opponentwise", "numpy", "torch")
        write_json(path, manifest)
        return
    before, now = _json(path).get("settings"), settings.as_json()
    if not isinstance(before, dict):
        raise InputError(f"{path}: not the manifest of an attack; name a new folder with --out")
    for name, value in now.items():
        if before.get(name) != value:
            raise InputError(
                f"--out: {folder} holds an attack with other {name}; give the same, or a new folder"
            )


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_text(path, MAX_BYTES))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not JSON; remove it and start again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: not a JSON object; remove it and start again")
    return value


def _path(folder: Path, job: Job) -> Path:
    return folder / "jobs" / f"{job.name}.json"


def _read(folder: Path, job: Job) -> dict[str, Any]:
    result = _json(_path(folder, job))
    if (result.get("bound"), result.get("about")) != (job.bound, job.about):
        raise InputError(f"{_path(folder, job)}: not this job's result; remove it and start again")
    return result


def read_results(folder: Path) -> list[dict[str, Any]]:
    """The results of all finished jobs in ``folder``, in the order of the jobs."""
    return [_json(path) for path in sorted((folder / "jobs").glob("*.json"))]


def _kept(folder: Path, job: Job, result: dict[str, Any]) -> dict[str, Any]:
    """The result, with a certificate where it refutes its bound, after it was written."""
    if result["refuted"]:
        case, bound = parse_case(result["case"]), find(job.bound, job.about)
        _, path = certify(case, bound, folder / "certificates", f"{job.number:04d}")
        result = result | {"certificate": path}
    write_json(_path(folder, job), result, replace=True)
    return result


def _on_processes(jobs: Sequence[Job], workers: int | None) -> Finished:
    """Results as they come; in this process where there is one worker or one job."""
    count = min(workers or os.cpu_count() or 1, len(jobs))
    if count <= 1:
        yield from ((job, run_job(job)) for job in jobs)
        return
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_leave_with_parent)
    try:
        futures = {pool.submit(run_job, job): job for job in jobs}
        for done in as_completed(futures):
            yield futures[done], done.result()
        pool.shutdown()
    except BrokenProcessPool:
        raise InputError(
            "--workers: a process ended (out of memory?); the same command goes on, with fewer"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()


def _leave_with_parent() -> None:
    """In a worker: end when the parent ends, however it ends; leave Ctrl-C to the parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_ray(jobs: Sequence[Job], workers: int | None, address: str | None) -> Finished:
    """Results as they come from a Ray cluster, through the same ``run_job``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no reports to anybody
    try:
        import ray
    except ImportError:
        raise InputError("--ray: Ray is not installed; pip install 'opponentwise[ray]'") from None
    ours = not ray.is_initialized()
    if ours:
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is None:
            quiet |= {"num_cpus": workers, "include_dashboard": False}
        else:
            _reach(address)
        try:
            ray.init(address=address or "local", **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _no_cluster(address, error) from error
    try:
        remote: Callable[..., Any] = ray.remote(run_job).remote
        pending = {remote(job): job for job in jobs}
        while pending:
            (done,), _ = ray.wait(list(pending), num_returns=1)
            yield pending.pop(done), ray.get(done)
    finally:
        if ours:
            ray.shutdown()


def _reach(address: str) -> None:
    """``InputError`` where nothing listens at host:port; Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return  # "auto": the cluster on this machine
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str | None, error: Exception) -> InputError:
    lines = str(error).split("\n", 1)
    return InputError(
        f"--address: {address}: no Ray cluster there ({lines[0]}); start one, or none"
    )


def _conclude(folder: Path, settings: Settings, results: list[dict[str, Any]]) -> int:
    """Write results.json, print the table; 1 if a bound called valid was refuted."""
    rows = best_rows(results)
    summary = [
        {"bound": r.bound, "about": r.about, "cap": r.cap, "jobs": r.jobs, "least": r.least}
        | {key: r.best.get(key) for key in ("ratio", "exact_ratio", "refuted", "shape", "errors")}
        for r in rows
    ]
    table = {"settings": settings.as_json(), "rows": summary}
    write_json(folder / "results.json", table, replace=True)
    print(text_table(rows))
    print(f"\njobs, results.json: {folder}")
    code = 0
    for result in results:
        if result["refuted"]:
            name = f"{result['bound']} ({result['about']})"
            valid = find(result["bound"], result["about"]).valid
            code = max(code, int(valid))
            note = " although the library calls it valid" if valid else ""
            print(f"refuted{note}: {name}: {result['certificate']}", file=sys.stderr)
    return code


def best_rows(results: Sequence[dict[str, Any]]) -> list[Row]:
    """One row a bound and cap, in the order of the results."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for result in results:
        groups.setdefault((result["bound"], result["about"], result["cap"]), []).append(result)

    def ratio(result: dict[str, Any]) -> float:
        return -1.0 if result["ratio"] is None else float(result["ratio"])

    return [
        Row(
            bound=bound,
            about=about,
            cap=cap,
            jobs=len(group),
            least=min(group, key=ratio)["ratio"],
            best=max(group, key=ratio),
        )
        for (bound, about, cap), group in groups.items()
    ]


def text_table(rows: Sequence[Row]) -> str:
    """bound, about, cap, best ratio, the shape that reached it, and the smallest of all jobs."""
    lines = [("bound", "about", "cap", "best ratio", "states", "actions", "gamma", "k", "least of")]
    for row in rows:
        shape, ratio = row.best["shape"], row.best["ratio"]
        lines.append(
            (
                row.bound,
                row.about,
                "none" if row.cap == "1" else row.cap,
                "-" if ratio is None else _ratio_text(row.best),
                str(shape["states"]),
                " ".join(map(str, shape["actions"])),
                shape["gamma"],
                str(shape["branch_length"]),
                f"{row.jobs} jobs: " + ("-" if row.least is None else f"{row.least:.6f}"),
            )
        )
    return aligned(lines)


def _ratio_text(result: dict[str, Any]) -> str:
    """Six digits, and whether it is exactly 1."""
    exactly = " exactly" if result.get("exact_ratio") == "1" else ""
    return f"{result['ratio']:.6f}{exactly}"
