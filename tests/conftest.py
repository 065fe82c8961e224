"""How hard the property tests try. The gate plays the same examples each time, so that it is red for a change and not for
luck; `make fuzz` plays fresh ones, and more of them."""

from hypothesis import HealthCheck, settings

settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")
