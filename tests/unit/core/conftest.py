"""Hypothesis for the core: bounded, without a deadline (no test may fail for a slow machine)."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "core",
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("core")
