"""Many jobs at a time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence

from scripts.regress.job import CRASHED, Job, Outcome, Processes


def run_all(
    jobs: Sequence[Job],
    at_once: int,
    work: Callable[[Job], Outcome],
    done: Callable[[Outcome], None],
    processes: Processes,
) -> list[Outcome]:
    """An outcome for each job, in order: none is lost, not even one whose `work` raises.

    done: told of each as it ends, in the calling thread. Ctrl-C kills what runs; jobs that were not begun
    keep the outcome of a job that never started, and `processes.stopped` tells.
    """
    outcomes = {job.name: Outcome(job) for job in jobs}
    assert len(outcomes) == len(jobs), "two jobs of one name"
    waiting, busy, open_jobs = list(jobs), set[str](), set(outcomes)
    changed = threading.Condition()
    ended: list[Outcome] = []

    def take() -> Job | None:
        with changed:
            while waiting and not processes.stopped:
                for job in waiting:
                    if job.after not in open_jobs and (not job.alone or job.alone not in busy):
                        waiting.remove(job)
                        busy.add(job.alone)
                        return job
                changed.wait()
            return None

    def worker() -> None:
        while job := take():
            try:
                outcome = work(job)
            except Exception as error:  # whatever it is, the job has an end
                outcome = Outcome(job, message=f"{type(error).__name__}: {error}")
            if processes.stopped and outcome.status == CRASHED:
                outcome.message = "the regression was stopped"
            with changed:
                busy.discard(job.alone)
                open_jobs.discard(job.name)
                outcomes[job.name] = outcome
                ended.append(outcome)
                changed.notify_all()

    threads = [threading.Thread(target=worker) for _ in range(min(at_once, len(jobs)))]
    for thread in threads:
        thread.start()
    told = 0
    try:
        while told < len(jobs) and not processes.stopped:
            with changed:
                while told == len(ended):
                    changed.wait()
            while told < len(ended):
                done(ended[told])
                told += 1
    except KeyboardInterrupt:
        # make and timeout pass the same Ctrl-C on once more: the report must still be written.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes.kill()
        with changed:
            changed.notify_all()
    finally:
        for thread in threads:
            thread.join()
    return list(outcomes.values())
