"""Statements from Python: creates, suspends and drops a job, and prints the outcome of each statement.

Beside `jobplane dev`, with the topics `orders` and `big_orders`: python docs/examples/python/statements.py
"""

import os

from jobplane import Client

BOOTSTRAP = os.environ.get("JOBPLANE_BOOTSTRAP", "127.0.0.1:9092")
PREFIX = os.environ.get("JOBPLANE_PREFIX", "jobplane.")

with Client(BOOTSTRAP, PREFIX) as client:
    created = client.execute(
        "CREATE JOB IF NOT EXISTS big AS INSERT INTO big_orders SELECT id, amount FROM orders WHERE amount > 50",
        issued_by="statements.py",
    )
    print("created", created.status if created.done else created)

    for row in client.jobs():
        if row["name"] == "big":
            print("job", row["name"], row["status"])

    sent = client.emit("ALTER JOB big SUSPEND")  # does not wait …
    suspended = client.wait(sent)  # … but this does, here or later in another program, by id or by offset
    print("suspended", suspended.status)

    refused = client.execute("ALTER JOB bigg RESUME")
    print("refused", refused.reply.code if refused.reply else "")

    print("dropped", client.execute("DROP JOB big").status)

    for entry in client.events():  # all events of the log; follow=True continues for ever
        if entry.event.cause.offset >= sent.offset and entry.event.cause.topic == "commands":
            print("event", entry.event.seq, entry.job, type(entry.event.body).__name__)
