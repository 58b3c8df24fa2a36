from tests.local.trip_fixtures import *  # noqa: F403
