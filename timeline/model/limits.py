"""The limits of what is stored: one set for all drivers. What is beyond them is quarantined, never cut."""

NOTIFICATION_BYTES = 4 * 1024 * 1024
"""A notification as it came, in bytes."""

BODY_BYTES = 1024 * 1024
"""The canonical body of an event, in bytes."""

NESTING = 64
"""Maps and lists within one another in a notification."""

ID_BYTES = 512
"""The id of a resource, a message id and an event type, in bytes of UTF-8."""

NAME_BYTES = 64
"""The type and the source of a resource, in bytes of UTF-8."""

KEPT_BYTES = 64 * 1024
"""What is kept of a notification that is longer than the limit, in bytes."""

MANY_BODIES = 1_000
"""A resource with more distinct bodies than this is reported: a volatile trait has likely slipped into them."""
