import pytest

# The kit's assertions say what they compared, as those of a test module do.
pytest.register_assert_rewrite("timeline.drivers.conformance")
