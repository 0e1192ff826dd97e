"""For authors of plugins: what a module goes through in a cluster, on one's own machine.

``Operator`` calls a module host as the Forkspacer operator does, and keeps its metadata as that
one does: stored only on success, with Go's numbers and texts, lost when the operator loses it.
"""

from modulehost.testing.operator import Operator, Outcome, go_json, read_go_json

__all__ = ["Operator", "Outcome", "go_json", "read_go_json"]
