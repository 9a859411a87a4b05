"""Notifications from a message bus that speaks AMQP 0-9-1, as RabbitMQ does. Needs the extra ``bus``."""

from timeline.errors import PackageMissing

try:
    import kombu  # noqa: F401
except ModuleNotFoundError as error:
    raise PackageMissing("a bus needs the package kombu: pip install 'resource-timeline[bus]'") from error

from timeline.consumers.amqp.consumer import Amqp
from timeline.consumers.amqp.subscription import EXCHANGES, PRIORITIES, TOPICS, Subscription, Tls

__all__ = ["EXCHANGES", "PRIORITIES", "TOPICS", "Amqp", "Subscription", "Tls"]
