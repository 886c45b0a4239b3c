"""What an error of Kafka's is called here, by its librdkafka name: what is wrong, and what to do where that is known.

The name stands behind the words, in parentheses, for whoever looks it up. The client's own text goes to the log, at
debug.
"""

_LEADER = "the partition's leader has just moved"
_COORDINATOR = "the coordinator has just moved"
_SILENT = "Kafka did not answer in time"
_CREDENTIALS = (
    "Kafka does not accept the credentials; check sasl.username, sasl.password and sasl.mechanism, and that its "
    "listener has SASL"
)
_TRANSACTION = "the transaction ended in another way than requested"

WORDS = {
    "_ALL_BROKERS_DOWN": "no broker can be reached",
    "_AUTHENTICATION": _CREDENTIALS,
    "_AUTO_OFFSET_RESET": "the topic does not have the requested offset",
    "_FATAL": "the Kafka client cannot continue",
    "_FENCED": "another producer with this transactional id took over",
    "_INVALID_ARG": "the Kafka client does not accept the request",
    "_LOG_TRUNCATION": "records were cut off the topic's end",
    "_MSG_TIMED_OUT": "Kafka did not acknowledge a record in time",
    "_QUEUE_FULL": "the queue of records to send is full",
    "_RESOLVE": "the name of a broker's host is not known",
    "_SSL": "TLS with Kafka fails; check security.protocol and ssl.ca.location",
    "_STATE": "the Kafka client is in an unexpected state",
    "_TIMED_OUT": _SILENT,
    "_TIMED_OUT_QUEUE": _SILENT,
    "_TRANSPORT": "the connection to Kafka broke",
    "_UNKNOWN_PARTITION": "the partition does not exist",
    "_UNKNOWN_TOPIC": "the topic does not exist",
    "BROKER_NOT_AVAILABLE": "the broker is not available",
    "CLUSTER_AUTHORIZATION_FAILED": "Kafka does not allow this user to act on the cluster; grant it with an ACL",
    "CONCURRENT_TRANSACTIONS": "the previous transaction has not ended yet",
    "COORDINATOR_LOAD_IN_PROGRESS": "the coordinator is loading",
    "COORDINATOR_NOT_AVAILABLE": "the coordinator is not available",
    "FENCED_LEADER_EPOCH": _LEADER,
    "GROUP_AUTHORIZATION_FAILED": "Kafka does not allow this user to use the consumer group; grant READ with an ACL",
    "INVALID_CONFIG": "Kafka does not accept a setting of the topic",
    "INVALID_PRODUCER_EPOCH": "another producer with this transactional id took over",
    "INVALID_PRODUCER_ID_MAPPING": "Kafka has forgotten the producer",
    "INVALID_RECORD": (
        "the topic does not accept the record; one with cleanup.policy=compact takes only records with a key: "
        "write … AS __key in the query"
    ),
    "INVALID_REPLICATION_FACTOR": "there are fewer brokers than requested replicas",
    "INVALID_TIMESTAMP": "the topic does not accept a timestamp so far from the present; write … AS __timestamp",
    "INVALID_TRANSACTION_TIMEOUT": "the broker's transaction.max.timeout.ms is too small for snapshotIntervalMillis",
    "INVALID_TXN_STATE": _TRANSACTION,
    "LEADER_NOT_AVAILABLE": "the partition has no leader",
    "MSG_SIZE_TOO_LARGE": "the record is larger than the topic takes (its max.message.bytes)",
    "NETWORK_EXCEPTION": "the connection to Kafka broke",
    "NOT_COORDINATOR": _COORDINATOR,
    "NOT_ENOUGH_REPLICAS": "too few replicas of the partition are in sync (min.insync.replicas)",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": "too few replicas of the partition are in sync (min.insync.replicas)",
    "NOT_LEADER_FOR_PARTITION": _LEADER,
    "OFFSET_NOT_AVAILABLE": _LEADER,
    "OFFSET_OUT_OF_RANGE": "the topic does not have the requested offset",
    "OUT_OF_ORDER_SEQUENCE_NUMBER": "Kafka has lost records of this producer",
    "POLICY_VIOLATION": "a policy of the brokers does not allow this",
    "PRODUCER_FENCED": "another producer with this transactional id took over",
    "RECORD_LIST_TOO_LARGE": "the records are larger than the topic takes (its max.message.bytes)",
    "REQUEST_TIMED_OUT": _SILENT,
    "SASL_AUTHENTICATION_FAILED": _CREDENTIALS,
    "TOPIC_AUTHORIZATION_FAILED": (
        "Kafka does not allow this user to use the topic; grant DESCRIBE and READ on sources and DESCRIBE and WRITE "
        "on sinks with an ACL"
    ),
    "TOPIC_EXCEPTION": "no topic can have this name",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": (
        "Kafka does not allow this user to use transactional ids that begin with the control plane's prefix; grant "
        "WRITE with an ACL"
    ),
    "UNKNOWN_LEADER_EPOCH": _LEADER,
    "UNKNOWN_PRODUCER_ID": "Kafka has forgotten the producer",
    "UNKNOWN_TOPIC_OR_PART": "the topic does not exist",
    "UNSUPPORTED_VERSION": "this Kafka is too old for the request",
}


_CONNECTING = (
    ("Connection refused", "the connection was refused"),
    ("PLAINTEXT broker listener", "its listener has no TLS; set security.protocol to plaintext or sasl_plaintext"),
    ("certificate verify failed", "its certificate is not trusted; check ssl.ca.location"),
    ("SSL handshake failed", "TLS fails; check security.protocol and ssl.ca.location"),
    ("verify that security.protocol is correctly configured", "it ended the connection; check security.protocol"),
    ("timed out", "the connection timed out"),
)
"""What tells reasons for a broken connection apart stands in the client's text alone."""


def in_words(code: str, said: str = "") -> str:
    """What the error of a name means, and the name: `the connection to Kafka broke (_TRANSPORT)`.

    `said` is the client's text, where the reason for a broken connection is looked for.
    """
    reasons = (words for part, words in _CONNECTING if part in said) if code in ("_TRANSPORT", "_SSL") else iter(())
    return f"{next(reasons, '') or WORDS.get(code, 'Kafka reports an error')} ({code})"
