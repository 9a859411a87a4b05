"""The command that stores what comes by a bus."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import click

from timeline.cli import credentials
from timeline.cli.addresses import ADDRESS, Address
from timeline.cli.options import (
    chosen,
    definitions_option,
    examples,
    format_option,
    open_engine,
    print_object,
    print_table,
    store_option,
)
from timeline.cli.program import QUARANTINED

if TYPE_CHECKING:
    from timeline.cli import logs
    from timeline.cli.working import Part
    from timeline.consumers.amqp import Subscription, Tls
    from timeline.engine import Counts
    from timeline.metrics import Told


@click.command(
    epilog=examples(
        "timeline consume amqp://timeline@broker.example.org/ --store postgresql+psycopg://db.example.org/timeline",
        "timeline consume amqp://timeline@broker.example.org/ --until-empty",
    )
)
@click.argument("url", envvar="TIMELINE_BUS")
@store_option
@definitions_option
@click.option(
    "--exchange",
    "exchanges",
    metavar="NAME",
    multiple=True,
    help="An exchange; may be given again.  [default: those of all services]",
)
@click.option(
    "--topic",
    "topics",
    metavar="NAME",
    multiple=True,
    help="A topic; may be given again.  [default: notifications and the versioned ones of nova and ironic]",
)
@click.option(
    "--priority",
    "priorities",
    metavar="NAME",
    multiple=True,
    help="A priority; may be given again.  [default: all but sample]",
)
@click.option(
    "--queue", default="timeline", show_default=True, help="The queue: who names the same one shares its messages."
)
@click.option(
    "--queue-type",
    type=click.Choice(("classic", "quorum")),
    default="classic",
    show_default=True,
    help="What is made where there is no such queue.",
)
@click.option("--transient", is_flag=True, help="A queue that is made does not outlive the broker.")
@click.option(
    "--exchanges-durable",
    is_flag=True,
    help="Exchanges that are made outlive the broker: as amqp_durable_queues makes them.",
)
@click.option("--passive", is_flag=True, help="Make nothing and bind nothing: take a queue that is there as it is.")
@click.option(
    "--prefetch",
    type=click.IntRange(1, 65_535),
    default=1_000,
    show_default=True,
    help="Messages that are held unacknowledged.",
)
@click.option(
    "--batch", type=click.IntRange(1, 100_000), default=500, show_default=True, help="Messages in one transaction."
)
@click.option(
    "--age",
    type=click.FloatRange(0, 60),
    default=0.2,
    show_default=True,
    help="Seconds after which a message is stored, however few came with it.",
)
@click.option(
    "--heartbeat",
    type=click.FloatRange(1, 3_600),
    default=60.0,
    show_default=True,
    help="Seconds: a broker silent for two of these is gone.",
)
@click.option(
    "--ca-file",
    type=click.Path(),
    help="The authority that signed the broker's certificate, in PEM.  [default: those of the system]",
)
@click.option("--cert-file", type=click.Path(), help="Our certificate, in PEM.")
@click.option("--key-file", type=click.Path(), help="The key of our certificate, in PEM.")
@click.option("--insecure", is_flag=True, help="Do not verify the broker's certificate.")
@click.option("--until-empty", is_flag=True, help="End when nothing is left in the queue.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that share the queue."
)
@click.option(
    "--metrics",
    type=ADDRESS,
    help="Where /metrics, /healthz and /readyz are served; on this machine alone unless HOST says otherwise.",
)
@click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="How it is logged, on standard error.",
)
@format_option
@click.pass_context
def consume_(
    ctx: click.Context,
    url: str,
    store: str,
    definitions_file: str | None,
    exchanges: tuple[str, ...],
    topics: tuple[str, ...],
    priorities: tuple[str, ...],
    queue: str,
    queue_type: str,
    transient: bool,
    exchanges_durable: bool,
    passive: bool,
    prefetch: int,
    batch: int,
    age: float,
    heartbeat: float,
    ca_file: str | None,
    cert_file: str | None,
    key_file: str | None,
    insecure: bool,
    until_empty: bool,
    workers: int,
    metrics: Address | None,
    log_format: logs.Form,
    form: str | None,
) -> None:
    """Store what notifications on a bus say, and acknowledge them when that is durable.

    URL is amqp://USER:PASSWORD@HOST:5672/VHOST, or amqps:// for TLS; where it is TIMELINE_BUS, the password is in no
    list of processes. What cannot be read is quarantined. It goes on until it is told to stop (SIGTERM, SIGINT);
    doing it again, or many at a time on one queue, stores nothing twice.
    """
    from timeline.cli import logs
    from timeline.consumers.amqp import EXCHANGES, PRIORITIES, TOPICS, Subscription, Tls
    from timeline.reports import shapes, tables

    form = chosen(form)
    settings = Settings(
        url=url,
        store=store,
        definitions_file=definitions_file,
        subscription=Subscription(
            exchanges=exchanges or EXCHANGES,
            topics=topics or TOPICS,
            priorities=priorities or PRIORITIES,
            queue=queue,
            durable=not transient,
            quorum=queue_type == "quorum",
            exchanges_durable=exchanges_durable,
            passive=passive,
        ),
        tls=Tls(ca_file=ca_file, cert_file=cert_file, key_file=key_file, verify=not insecure),
        prefetch=prefetch,
        heartbeat=heartbeat,
        batch=batch,
        age=age,
        until_empty=until_empty,
    )
    passwords = credentials.passwords(url, store)
    with _stopping() as stopping:
        with logs.written(log_format, passwords=passwords):
            counts = _run(settings, workers, metrics, stopping, log_format, passwords)
        stopped = stopping.is_set()
    shape = shapes.counts(counts)
    print_table(tables.pairs(shape)) if form == "table" else print_object(shape, form)
    if counts.quarantined and not stopped:
        ctx.exit(QUARANTINED)


class Settings(NamedTuple):
    """What a process that consumes is told."""

    url: str
    store: str
    definitions_file: str | None
    subscription: Subscription
    tls: Tls
    prefetch: int
    heartbeat: float
    batch: int
    age: float
    until_empty: bool


def consume(settings: Settings, part: Part) -> Counts:
    """Consume in this process, until it is to stop or nothing is left."""
    from timeline.consumers.amqp import Amqp

    source = Amqp(
        settings.url,
        settings.subscription,
        prefetch=settings.prefetch,
        heartbeat=settings.heartbeat,
        tls=settings.tls,
        metrics=part.metrics,
    )
    with open_engine(settings.store, settings.definitions_file) as engine:
        # if there is no store, or no sense in the definitions, it is said before anything is taken
        engine.driver.version()
        part.metrics.store_available(True)
        _ = engine.definitions
        return engine.consume(
            source,
            batch=settings.batch,
            age=settings.age,
            until_empty=settings.until_empty,
            stopping=part.stopping,
            metrics=part.metrics,
        )


def _run(
    settings: Settings,
    workers: int,
    address: Address | None,
    stopping: Event,
    log: logs.Form,
    passwords: frozenset[str],
) -> Counts:
    """Consume, here or in processes of their own, and show meanwhile how that goes."""
    from timeline.cli.watching import watched
    from timeline.cli.workers import Workers
    from timeline.cli.working import Part
    from timeline.metrics import Metrics

    run: Callable[[], Counts]
    tell: Callable[[], Sequence[Told]]
    if workers == 1:
        metrics = Metrics()
        run, tell = (lambda: consume(settings, Part(1, stopping, metrics))), (lambda: [metrics.told()])
    else:
        crew = Workers(settings, workers, consume, log=log, passwords=passwords)
        run, tell = (lambda: crew.run(stopping)), crew.told
    with ExitStack() as around:
        if address is not None:
            from timeline.metrics.serving import Serving

            around.enter_context(Serving(*address, tell))
        around.enter_context(watched(tell))
        return run()


@contextmanager
def _stopping() -> Iterator[Event]:
    """Within it, SIGTERM and SIGINT set an event, and do nothing else."""
    stopping = Event()

    def stop(number: int, frame: object) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
