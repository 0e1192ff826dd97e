"""For the fault tests."""

import pytest

pytest.register_assert_rewrite("support.faults")
