"""One module per outside program. Commands are pure tuples; running them is `bkp.tools.process` alone."""
