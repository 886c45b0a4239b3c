"""Where settings come from, and what is said of wrong ones."""

from pathlib import Path

import pytest

from controlplane.settings import Settings
from schemas.errors import BadSetting


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "jobplane.toml").write_text(
        'bootstrap = "file:1"\nprefix = "file."\nhosts = 3\n[kafka]\nsasl.username = "u"\n'
    )
    environment = {"JOBPLANE_BOOTSTRAP": "env:1", "JOBPLANE_PREFIX": "env.", "JOBPLANE_KAFKA_SECURITY_PROTOCOL": "ssl"}
    settings = Settings.load({"bootstrap": "flag:1", "prefix": None}, environment, tmp_path)
    assert (settings.bootstrap, settings.prefix, settings.hosts, settings.web_port) == ("flag:1", "env.", 3, 6066)
    assert settings.kafka == {"sasl.username": "u", "security.protocol": "ssl"}


def test_properties_of_the_schema_registry_pass_through_and_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "jobplane.toml").write_text(
        '[registry]\nurl = "http://file"\nssl.ca.location = "ca.pem"\n"ssl.key.location" = "key.pem"\n'
    )
    environment = {"JOBPLANE_REGISTRY_URL": "http://env", "JOBPLANE_REGISTRY_BASIC_AUTH_USER_INFO": "user:secret"}
    settings = Settings.load({}, environment, tmp_path)
    assert settings.registry == {
        "url": "http://env",
        "basic.auth.user.info": "user:secret",
        "ssl.ca.location": "ca.pem",
        "ssl.key.location": "key.pem",
    }
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        ({}, {"JOBPLANE_REGISTRY_SSL_CA_LOCATION": "ca"}, "has ssl.ca.location and no url; set JOBPLANE_REGISTRY_URL"),
        ({}, {"JOBPLANE_BOOTSTRAPS": "x"}, "environment: there is no setting 'bootstraps'"),
        ({}, {"JOBPLANE_HOSTS": "many"}, "environment: hosts is a whole number, not 'many'"),
        ({"prefix": "a b"}, {}, "prefix 'a b' cannot begin a topic's name"),
        ({"session_timeout": 0.1}, {}, "session_timeout 0.1"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(
    flags: dict[str, object], environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSetting, match=message):
        Settings.load(flags, environment, tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobplane.toml").write_text("bootstrap = ")
    with pytest.raises(BadSetting, match=r"jobplane\.toml"):
        Settings.load({}, {}, tmp_path)
