"""How hard the fuzzers try: the same few examples each time, or many new ones with `HYPOTHESIS_PROFILE=long`."""

import os

from hypothesis import HealthCheck, settings

# A file's fixtures are made once for all its examples, which is meant: they hold nothing that an example leaves.
MEANT = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile(
    "short", max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=MEANT
)
settings.register_profile("long", max_examples=3000, deadline=None, suppress_health_check=MEANT, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
