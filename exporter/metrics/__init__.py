"""The metrics: one module a section, with what each metric is and how its value is got. `registry` lists them."""
