"""The broker is restarted, in good order and not, while it is published to and consumed from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import timeline
from simulator import Fleet
from tests.faults.amounts import amount
from tests.faults.checking import assert_right
from tests.faults.consuming import Consumer, until, until_empty
from tests.faults.publishing import Publisher
from tests.faults.seeing import Numbers
from tests.servers import own, place

RESTARTS = amount(3)
MESSAGES = [*Fleet(seed=23, instances=20 * RESTARTS, days=2, late=0.05, duplicated=0.05).notifications()]
SLOWLY = ("--batch", "5", "--prefetch", "20", "--heartbeat", "5")


def test_messages_that_were_confirmed_outlive_restarts_of_the_broker_in_queues_of_both_kinds(tmp_path: Path) -> None:
    sqlite = f"sqlite:///{tmp_path}/timeline.db"
    classic, quorum = Numbers(), Numbers()
    with own("rabbitmq") as broker, place("postgresql") as postgresql, ThreadPoolExecutor(1) as aside:
        for store in (sqlite, postgresql):
            with timeline.open(store) as engine:
                engine.prepare()
        for queue in ("classic", "quorum"):
            Publisher(broker.url, [queue], quorum=queue == "quorum").close()
        publisher = Publisher(broker.url, [])
        with (
            Consumer(broker.url, sqlite, "--queue", "classic", *SLOWLY, *classic.words) as one,
            Consumer(broker.url, postgresql, "--queue", "quorum", *SLOWLY, *quorum.words) as other,
        ):
            both = [classic, quorum]
            until(lambda: all(each["timeline_connected"] for each in both), what="a subscription of each")
            for turn in range(RESTARTS):
                before = len(publisher.confirmed)
                published = aside.submit(publisher.publish, MESSAGES[turn::RESTARTS])
                until(lambda before=before: len(publisher.confirmed) > before, what=f"work before restart {turn}")
                end = broker.kill if turn % 3 else broker.stop
                end("server")
                assert published.running(), f"all was done before restart {turn}"
                broker.start()
                published.result(amount(300))
                until(lambda: all(each["timeline_connected"] for each in both), what=f"a way back after restart {turn}")
            publisher.close()
            for queue in ("classic", "quorum"):
                until_empty(broker.url, queue, within=amount(60))
            for numbers in both:
                until(lambda numbers=numbers: numbers["timeline_unacknowledged_messages"] == 0, what="the last batch")
                assert numbers["timeline_reconnects_total"] >= RESTARTS
                assert numbers["timeline_messages_redelivered_total"] > 0, "no restart met a message that was taken"
            assert [one.stop(), other.stop()] == [0, 0], one.said + other.said
        assert {*publisher.confirmed} == {*MESSAGES}
        for store in (sqlite, postgresql):
            assert_right(store, publisher.confirmed)
