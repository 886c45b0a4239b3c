"""Who sends commands, where nobody says it."""

import getpass

import pytest

from jobplane.controlplane.client import issuer
from jobplane.controlplane.settings import Settings
from jobplane.schemas.setup_errors import BadSetting


def test_it_is_the_user_at_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    assert issuer.user_at_host() == "ann@laptop"


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found: 4711"), OSError("No username set")])
def test_a_process_without_a_user_name_has_a_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    monkeypatch.setattr("socket.gethostname", lambda: "pod-1")
    assert issuer.user_at_host() == "uid-4711@pod-1"


def test_odd_names_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "a\x1b\n\udce9" + "x" * 600)
    sent = issuer.user_at_host()
    assert sent.encode().startswith(b"a?xxx")
    assert len(sent) == 500


@pytest.mark.parametrize("text", ["x" * 501, "a\nb", "\udce9"])
def test_what_no_command_may_say_is_no_setting(text: str) -> None:
    with pytest.raises(BadSetting, match="issued_by must have at most 500 characters"):
        Settings(issued_by=text)
