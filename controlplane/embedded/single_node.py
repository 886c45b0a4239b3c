"""Kafka's properties and Java's flags for a single node that is small and starts quickly."""

from collections.abc import Mapping
from types import MappingProxyType

from jobplane.controlplane.embedded.java import Java

PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        # One node can have only one replica; without these, transactions and groups would wait for more replicas.
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Topics are not created automatically. A topic may set max.message.bytes above the broker's default of 1 MiB.
        "auto.create.topics.enable": "false",
        "num.partitions": "4",
        # Small: fewer folders, threads and buffers (defaults: 50 partitions each, 128 MiB for the cleaner).
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.num.partitions": "1",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
        "log.cleaner.threads": "1",
        "log.cleaner.dedupe.buffer.size": str(4 << 20),
        "log.cleaner.io.buffer.size": str(64 << 10),
        "log.segment.bytes": str(64 << 20),
        "log.index.size.max.bytes": str(1 << 20),
        "metadata.log.segment.bytes": str(16 << 20),
        # Quick: no pause before the first join (default 3 s), short sessions allowed, lost transactions ended each
        # second, and a broker that was killed may come back after 1.5 s (default 9 s).
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "group.consumer.session.timeout.ms": "6000",
        "group.consumer.min.session.timeout.ms": "3000",
        "group.consumer.heartbeat.interval.ms": "1000",
        "group.consumer.min.heartbeat.interval.ms": "500",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        "broker.session.timeout.ms": "1500",
        "broker.heartbeat.interval.ms": "300",
    }
)

_LOGGER = "-Dorg.slf4j.simpleLogger."
_FLAGS = (
    "-Xms64m",
    "-Xmx512m",
    "-Xss512k",
    "-XX:MaxDirectMemorySize=128m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "-Djava.awt.headless=true",
    f"{_LOGGER}defaultLogLevel=warn",
    f"{_LOGGER}log.kafka.server.KafkaRaftServer=info",  # logs when the broker has started
    f"{_LOGGER}showDateTime=true",
    f"{_LOGGER}dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    f"{_LOGGER}showThreadName=false",
)
_QUIET_FROM = 24
_QUIET = ("--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow")


def flags_for(java: Java) -> tuple[str, ...]:
    """From Java 24 on, a flag turns off warnings about native access by Kafka's libraries."""
    return (*_FLAGS, *_QUIET) if java.major >= _QUIET_FROM else _FLAGS
