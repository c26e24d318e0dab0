"""bkp-run's commands, by what a person wants: run a job, look, restore, configure."""
