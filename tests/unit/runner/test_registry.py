from bkp.jobs import JOBS
from runner.jobs.registry import runner_job


def test_each_job_of_the_table_is_the_one_that_is_run_under_its_name() -> None:
    assert {name: runner_job(name).spec for name in JOBS} == JOBS
