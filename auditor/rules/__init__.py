"""Rules: YAML files read strictly, checked against the catalogue and the operators, compiled for the engine."""
