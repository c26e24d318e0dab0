"""syncoid 2.1 and 2.2 as a machine interface: command lines as pure tuples, and what its words mean."""
