"""`python -m tests.bench.judge BOOTSTRAP PREFIX`: the decider of a plane alone, without tasks, until it is killed."""

import sys
import threading

from jobplane.controlplane.decider.decider import Decider, DeciderMetrics
from jobplane.controlplane.fetch.groups import Groups
from jobplane.controlplane.settings import Settings
from jobplane.processors.kafka.cluster import Kafka

if __name__ == "__main__":
    settings = Settings(bootstrap=sys.argv[1], prefix=sys.argv[2])
    Decider(Kafka(settings.bootstrap), settings.prefix, DeciderMetrics(), threading.Event(), Groups(settings)).run()
