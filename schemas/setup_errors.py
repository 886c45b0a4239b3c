"""What stops a start or a command. Each concrete class is one stable `code`; its docstring is its documentation."""

from jobplane.schemas.blame import Blame, ExitCode
from jobplane.schemas.errors import JobplaneError


class SetupError(JobplaneError):
    """What keeps a process from starting or reaching Kafka."""

    blame = Blame.OPERATOR


class KafkaUnreachable(SetupError):
    """No broker answers at the given address."""

    code = "kafka-unreachable"
    again = True
    exit_code = ExitCode.UNREACHABLE
    blame = Blame.KAFKA


class CredentialsRefused(SetupError):
    """Kafka does not accept the user, the password or the mechanism."""

    code = "credentials-refused"


class KafkaSilent(SetupError):
    """A broker answered at first, and then not in time; whether the last request was carried out is not known."""

    code = "kafka-silent"
    again = True
    exit_code = ExitCode.UNREACHABLE
    blame = Blame.KAFKA


class NotSetUp(SetupError):
    """The topics of this prefix do not exist: no worker has been started with it yet."""

    code = "not-set-up"


class TopicMisconfigured(SetupError):
    """A control topic exists with other partitions or another cleanup policy than it must have."""

    code = "topic-misconfigured"


class PortTaken(SetupError):
    """Another process listens on the port."""

    code = "port-taken"


class BadSetting(SetupError):
    """A setting has a value that cannot be used."""

    code = "bad-setting"
    exit_code = ExitCode.USAGE
    blame = Blame.USER


class ExtraMissing(SetupError):
    """The command needs an extra of the package that is not installed; the message says how to install it."""

    code = "extra-missing"


class BrokerFailed(SetupError):
    """The embedded broker did not start; its log says why."""

    code = "broker-failed"


class JarMismatch(SetupError):
    """A downloaded jar is not the one that was locked."""

    code = "jar-mismatch"


class WorkerFailed(SetupError):
    """A worker did not come up, or cannot go on; what it said before names the cause."""

    code = "worker-failed"


class NewerState(SetupError):
    """The state was written by a newer version; this one steps aside."""

    code = "newer-state"


class EventsTruncated(SetupError):
    """The events do not begin at their first record any more: what they fold to is not known."""

    code = "events-truncated"


class BeyondTheEnd(SetupError):
    """The log has no such offset yet."""

    code = "beyond-the-end"
    exit_code = ExitCode.NOT_FOUND
    blame = Blame.USER


class StillWritten(SetupError):
    """Something was written to the control topics while they were copied or restored: workers must be stopped."""

    code = "still-written"


class NotEmpty(SetupError):
    """The control topics hold records: a backup is restored into new ones."""

    code = "not-empty"
    blame = Blame.USER


class BadBackup(SetupError):
    """The file is not a backup, or is damaged."""

    code = "bad-backup"
    blame = Blame.USER
