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
    """A broker answered at first, then not in time; whether it carried out the last request is unknown."""

    code = "kafka-silent"
    again = True
    exit_code = ExitCode.UNREACHABLE
    blame = Blame.KAFKA


class NotSetUp(SetupError):
    """The control topics of this prefix do not exist: no worker has been started with the prefix yet."""

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
    """A downloaded jar does not have the expected digest."""

    code = "jar-mismatch"


class WorkerFailed(SetupError):
    """A worker did not start, or cannot continue; its last log lines name the cause."""

    code = "worker-failed"


class NewerState(SetupError):
    """The state was written by a newer version of jobplane; this version does not touch it."""

    code = "newer-state"


class EventsTruncated(SetupError):
    """The first events are no longer in the topic, so the state cannot be computed from them."""

    code = "events-truncated"


class BeyondTheEnd(SetupError):
    """The log does not have this offset yet."""

    code = "beyond-the-end"
    exit_code = ExitCode.NOT_FOUND
    blame = Blame.USER


class StillWritten(SetupError):
    """The control topics were written to while they were copied or restored: stop all workers first."""

    code = "still-written"


class NotEmpty(SetupError):
    """The control topics contain records: a backup can only be restored into new, empty topics."""

    code = "not-empty"
    blame = Blame.USER


class BadBackup(SetupError):
    """The file is not a backup, or is damaged."""

    code = "bad-backup"
    blame = Blame.USER
