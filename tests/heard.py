"""A report that keeps what it is given, for a test to look at.

heard = Heard()
watch(service, run, report=heard)
heard.all("state")      # of every event that has one
"""

from typing import Any

from shared.core.events import Event


class Heard(list[Event]):
    """Every event, in order."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def all(self, fact: str) -> list[Any]:
        """This fact of each event that has it."""
        return [getattr(event, fact) for event in self if hasattr(event, fact)]
