"""What every test shares: Hypothesis without deadlines, and the same examples in every CI run.

The machines that run these tests are shared, so a slow example says nothing about the code.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "house")
