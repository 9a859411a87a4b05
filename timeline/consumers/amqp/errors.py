"""What a broker or its client says, as errors of ours."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed, NotFound, PreconditionFailed, ResourceLocked
from kombu.exceptions import KombuError

from timeline.consumers.amqp.url import Broker
from timeline.errors import BusDenied, BusError, BusUnavailable


@contextmanager
def translated(broker: Broker) -> Iterator[None]:
    """Within it, whatever goes wrong between us and the broker is a :class:`~timeline.errors.BusError`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise BusDenied(
            f"{broker}: the broker's certificate is not accepted: {error.verify_message.rstrip('.')}; see that it "
            "is for this host, and that --ca-file names the authority that signed it"
        ) from error
    except (AccessRefused, NotAllowed) as error:
        raise BusDenied(
            f"{broker}: the broker refuses: {_said(error)}; see to user, password, virtual host and rights"
        ) from error
    except NotFound as error:
        raise BusError(f"{broker}: {_said(error)}; without --passive what is missing is made") from error
    except (PreconditionFailed, ResourceLocked) as error:
        raise BusError(f"{broker}: the broker refuses: {_said(error)}") from error
    except ssl.SSLError as error:
        raise BusDenied(f"{broker}: TLS cannot be agreed upon: {error.reason or error}") from error
    except socket.gaierror as error:
        raise BusUnavailable(f"{broker}: this host cannot be found: {error.strerror}") from error
    except TimeoutError as error:
        raise BusUnavailable(f"{broker}: the broker does not answer") from error
    except (OSError, EOFError) as error:
        raise BusUnavailable(
            f"{broker}: {error.strerror if isinstance(error, OSError) and error.strerror else error}"
        ) from error
    except (AMQPError, KombuError) as error:
        raise BusUnavailable(f"{broker}: {_said(error)}") from error


def _said(error: Exception) -> str:
    return str(getattr(error, "reply_text", None) or error or type(error).__name__).rstrip(".")
