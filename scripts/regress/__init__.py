"""make regress: every block and the chip, many seeds, both simulators; no job is lost.

plan.py says what runs, worker.py is the inside of a job, job.py runs one to its end and judges it,
schedule.py many at a time, report.py writes down what came of them.
"""
