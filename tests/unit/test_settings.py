"""Where settings come from, and what is said of wrong ones."""

from pathlib import Path

import pytest

from jobplane.controlplane.settings import Settings
from jobplane.schemas.setup_errors import BadSetting


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
        ({}, {"JOBPLANE_REGISTRY_SSL_CA_LOCATION": "ca"}, "have ssl.ca.location but no url; set JOBPLANE_REGISTRY_URL"),
        ({}, {"JOBPLANE_BOOTSTRAPS": "x"}, "JOBPLANE_BOOTSTRAPS is not a setting; did you mean 'JOBPLANE_BOOTSTRAP'"),
        ({}, {"JOBPLANE_JAVAHOME": "x"}, "JOBPLANE_JAVAHOME is not a setting; did you mean 'JOBPLANE_JAVA_HOME'"),
        ({}, {"JOBPLANE_WEB_POST": "1"}, "did you mean 'JOBPLANE_WEB_HOST' or 'JOBPLANE_WEB_PORT'"),
        ({}, {"JOBPLANE_X": "x"}, "JOBPLANE_X is not a setting; settings are JOBPLANE_BOOTSTRAP, "),
        ({}, {"JOBPLANE_REGISTRY_URLL": "x"}, "have urll but no url; did you mean 'url'"),
        ({"bootstrap": " "}, {}, "bootstrap is empty"),
        ({"prefix": "x" * 201}, {}, "cannot begin a topic's name"),
        ({}, {"JOBPLANE_HOSTS": "many"}, "environment: hosts must be a whole number, not 'many'"),
        ({"prefix": "a b"}, {}, "prefix 'a b' cannot begin a topic's name"),
        ({"session_timeout": 0.1}, {}, "session_timeout 0.1"),
        ({}, {"JOBPLANE_HOSTS": "-3"}, "environment: hosts must be between 0 and 10000, not -3"),
        ({"web_port": 70_000}, {}, "command line: web_port must be between 0 and 65535, not 70000"),
        ({}, {"JOBPLANE_REPLICATION_FACTOR": "-1"}, "replication_factor must be between 0 and 32767, not -1"),
        ({"bootstrap": "127.0.0.1:abc"}, {}, "command line: bootstrap '127.0.0.1:abc': 'abc' is not a port"),
        ({"bootstrap": "kafka:9092,:99999"}, {}, "':99999' is not host:port"),
        ({"bootstrap": "kafka:99999"}, {}, "'99999' is not a port; a port is a number from 1 to 65535"),
        ({"bootstrap": "kafka:"}, {}, "'' is not a port"),
        ({"bootstrap": "kafka:0"}, {}, "'0' is not a port"),
        ({"bootstrap": "kafka:9092,"}, {}, "'' is not host:port"),
        ({"bootstrap": "http://127.0.0.1:9092"}, {}, "without 'http://': write 127.0.0.1:9092;"),
        ({"bootstrap": "::1:9092"}, {}, "write an IPv6 address in brackets"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(
    flags: dict[str, object], environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSetting, match=message):
        Settings.load(flags, environment, tmp_path)


@pytest.mark.parametrize("text", ["kafka", "kafka-1:9092, kafka-2:9093", "[::1]:9092", "[fe80::1%eth0]", "b_1.x:65535"])
def test_addresses_that_are_taken(text: str) -> None:
    assert Settings(bootstrap=text).bootstrap == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('bootsrap = "x"', "there is no setting 'bootsrap'; did you mean 'bootstrap'?"),
        (f"web_port = {'9' * 400}", "web_port must be a whole number"),
        ("web-port = 3", "there is no setting 'web-port'; did you mean 'web_port'?"),
        ('bootstrap = "x', 'is not TOML at its end; write texts in quotes, as in: prefix = "shop."'),
        ("bootstrap = x\n", 'is not TOML at line 1, column 13; write texts in quotes, as in: prefix = "shop."'),
        ("[kafak]\na = 1", "there is no table [kafak]; did you mean 'kafka'?"),
        ("[x]\na = 1", "there is no table [x]; tables are kafka and registry"),
        ('kafka = "x"', "kafka must be a table: write [kafka] and its properties below"),
        ('"security.protocol" = "ssl"', "'security.protocol' is not a setting; write properties of the Kafka client"),
        ("sasl.mechanism = 'PLAIN'", "'sasl' is not a setting; write properties of the Kafka client below [kafka]"),
        ("hosts = 2.5", "hosts must be a whole number, not '2.5'"),
        ("hosts = true", "hosts must be a whole number, not 'True'"),
        ("session_timeout = nan", "session_timeout must be a number, not 'nan'"),
        ("prefix = ['x']", "prefix must be a text, not"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_in_our_words(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "jobplane.toml").write_text(text)
    with pytest.raises(BadSetting) as bad:
        Settings.load({}, {}, tmp_path)
    assert message in bad.value.message


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobplane.toml").write_text("bootstrap = ")
    with pytest.raises(BadSetting, match=r"jobplane\.toml"):
        Settings.load({}, {}, tmp_path)
