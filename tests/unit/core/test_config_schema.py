"""The shipped example, the JSON Schema and the reference page say what the model says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from bkp.config import load_config, parse_config
from bkp.config.describe import ANY, EXAMPLE, NAMED, KeyPath, descriptions, example_text
from bkp.config.model import Config
from bkp.config.reference import renewed
from bkp.config.schema import config_schema, sections
from bkp.errors import ConfigError
from bkp.yamlfile.loader import load_yaml
from tests.unit.core.support import ROOT

SCHEMA = config_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
KEYS = [(*path, key) for path, name in sections() for key in SCHEMA["$defs"][name]["properties"]]
PAGE = ROOT / "docs/configuration.md"


def switched_on(text: str) -> str:
    """The example with every switched-off key switched on."""
    return re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", text, flags=re.MULTILINE)


def test_the_example_is_valid_and_is_what_the_wheel_ships() -> None:
    config = load_config(EXAMPLE)
    assert EXAMPLE.is_relative_to(ROOT / "bkp")  # the wheel carries every file of the package
    assert list(config.repositories) == ["main"]


def test_the_example_describes_the_given_system() -> None:
    config = load_config(EXAMPLE)
    main = config.repositories["main"]
    assert main.path == "/tank/Secure/Borg/backup-repo"
    assert main.passphrase_file == "/root/.borg_env"
    assert main.key_export == "/root/borg-key.txt"
    assert main.encryption == "repokey-blake2"
    assert config.sources["data"].dataset == "tank/Secure/backup"
    assert config.paths.log == "/var/log/borg"
    assert config.mail.to == "alerts@example.com"
    assert [(name, str(job.schedule)) for name, job in config.jobs.items()] == [
        ("nightly", "02:30"),
        ("check", "Sun 04:30"),
        ("verify", "*-*-15 04:45"),
        ("drill", "Sat 05:30"),
        ("prune", "None"),
        ("scrub", "Wed 06:00"),
        ("selftest-short", "Mon 06:00"),
        ("selftest-long", "*-*-02 07:00"),
        ("escrow-drill", "None"),
        ("sync", "01:00"),
    ]
    assert [(place.name, place.description, str(place.valid_for)) for place in config.audit.escrow] == [
        ("vaultwarden", "Vaultwarden item", "90d"),
        ("codes.hc", "VeraCrypt container codes.hc", "180d"),
        ("locked.hc", "VeraCrypt container locked.hc on the offline USB stick", "180d"),
    ]


def test_the_examples_values_are_the_models_defaults_but_for_places_that_nobody_has_set_up() -> None:
    config = load_config(EXAMPLE)
    audit = msgspec.structs.replace(config.audit, escrow=())
    config = msgspec.structs.replace(config, audit=audit, pools={}, disks={}, replications={})
    bare = parse_config(
        "schema: 1\nrepositories: {main: {path: /tank/Secure/Borg/backup-repo, sources: [data]}}\n"
        "sources: {data: {dataset: tank/Secure/backup}}\nmail: {to: alerts@example.com}\n"
    )
    assert config == bare


@pytest.mark.parametrize("key", KEYS, ids=".".join)
def test_every_key_of_the_model_is_in_the_example_with_an_explanation(key: KeyPath) -> None:
    assert descriptions().get(key)


def test_the_example_has_no_key_that_the_model_lacks() -> None:
    named = {(*path, ANY) for path in NAMED}
    assert set(descriptions()) - named == set(KEYS)


def test_every_key_of_the_model_that_has_a_value_is_switched_on_in_the_example() -> None:
    def keys(value: Any, path: KeyPath) -> Iterator[KeyPath]:
        for key, item in value.items():
            below = (*path, ANY if path in NAMED else key)
            yield below
            for inner in item if isinstance(item, list) else [item]:
                if isinstance(inner, dict):
                    yield from keys(inner, (*below, ANY) if isinstance(item, list) else below)

    written = set(keys(load_yaml(example_text(), "example.yml").data, ()))
    without_value = set()
    for path, name in sections():
        for key, field in SCHEMA["$defs"][name]["properties"].items():
            if field.get("default", "") is None:
                without_value.add((*path, key))
    optional_with_example_value = {("sources", ANY, "dataset"), ("mail", "to"), ("jobs", "prune", "schedule")}
    optional_with_example_value |= {("jobs", "escrow_drill", "schedule"), ("audit", "escrow", ANY, "medium")}
    assert set(KEYS) - written == without_value - optional_with_example_value


def test_the_switched_off_keys_have_valid_values_too() -> None:
    text = switched_on(example_text())
    assert text != example_text()
    text = text.replace("    path: /srv/data\n", "")  # either path or dataset
    assert isinstance(parse_config(text), Config)
    VALIDATOR.validate(load_yaml(text, "example.yml").data)


def test_the_schema_is_a_valid_schema_with_a_dialect_and_a_title() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"]
    json.dumps(SCHEMA)


@pytest.mark.parametrize("name", sorted(SCHEMA["$defs"]))
def test_no_section_of_the_schema_lets_unknown_keys_pass_and_every_key_is_described(name: str) -> None:
    section = SCHEMA["$defs"][name]
    assert section["additionalProperties"] is False
    for field in section["properties"].values():
        assert field["description"]


def test_the_schema_says_the_models_defaults_as_they_are_written() -> None:
    config = load_config(EXAMPLE)
    for path, name in sections():
        if path[:1] in {*NAMED, ("audit",)}:
            continue
        section: Any = config
        for step in path:
            section = getattr(section, step)
        for key, field in SCHEMA["$defs"][name]["properties"].items():
            if "default" in field and "$ref" not in field and (*path, key) != ("mail", "to"):  # asked for, with reports
                value = getattr(section, key)
                if isinstance(value, dict):  # the example shows some; the default is none
                    value = {}
                said = value if type(value) in {bool, int, float, str, dict, type(None)} else str(value)
                assert field["default"] == said, key


def test_the_example_is_valid_by_the_schema() -> None:
    VALIDATOR.validate(load_yaml(example_text(), "example.yml").data)


BROKEN = [
    ("schema: 1", "schema: 2"),
    ("lock_wait: 10m", "lock_wait: 10"),
    ("lock_wait: 10m", "lock_wait: ten minutes"),
    ("lock_wait: 10m", "lockwait: 10m"),
    ("state: /var/lib/bkp\n", "state: var/lib/bkp\n"),
    ("encryption: repokey-blake2", "encryption: repokey-blake"),
    ("daily: 7", "daily: -7"),
    ("daily: 7", "dayly: 7"),
    ("sources: [data]", "sources: []"),
    ("sources: [data]", "sources: data"),
    ("  main:\n", "  Main:\n"),
    ("exclude: []", "exclude: ['*.o']"),
    ("one_file_system: true", "one_file_system: yes"),
    ("schedule: 02:30", "schedule: 150"),
    ("sample_bytes: 256M", "sample_bytes: 256 megabytes"),
    ("to: alerts@example.com", "to: alerts"),
    ("when: problems", "when: problem"),
    ("listen: 127.0.0.1:10045", "listen: 10045"),
    ("source: bkp@live.example.com:tank/data", "source: live.example.com:tank/data"),
    ("source: bkp@live.example.com:tank/data", "source: bkp@-oProxyCommand=x:tank/data"),
    ("identity_file: /root/.ssh/bkp-live", "identity_file: /root/.ssh/$(id)"),
    ("target: tank/Secure/backup\n", "target: tank\n"),
    ("fail_on: low", "fail_on: lowest"),
    ("holds: [key, passphrase]", "holds: [keys]"),
    ("minimum_applicable: 0.5", "minimum_applicable: 50"),
]


@pytest.mark.parametrize(("good", "bad"), BROKEN, ids=[bad for _, bad in BROKEN])
def test_what_the_schema_marks_as_wrong_the_program_refuses_too(good: str, bad: str) -> None:
    text = example_text().replace(good, bad, 1)
    assert text != example_text()
    assert not VALIDATOR.is_valid(load_yaml(text, "example.yml").data)
    with pytest.raises(ConfigError):
        parse_config(text)


def test_the_reference_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), "stale: python -m bkp.config.reference docs/configuration.md"


def test_the_errors_shown_on_the_reference_page_are_real() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```\n\n```text\n(.*?)\n```", page, re.DOTALL)
    assert shown
    for text, said in shown:
        with pytest.raises(ConfigError) as caught:
            parse_config(text, "/etc/bkp/config.yml")
        assert str(caught.value) == said


def test_the_prose_of_a_key_is_the_comment_right_above_it() -> None:
    text = (
        "# Heading\n\n# First line\n# and second.\na:\n  # Off.\n  #b: 1\n  c:\n    # Item.\n    - d: 1\n    - d: 2\n"
    )
    assert descriptions(text) == {
        ("a",): "First line and second.",
        ("a", "b"): "Off.",
        ("a", "c"): "",
        ("a", "c", ANY, "d"): "Item.",
    }


def test_state_schemas_are_up_to_date() -> None:
    from bkp.state.records import DOCUMENTED
    from bkp.state.schema import AUDITS, MAIL, OBSERVED, state_schemas

    folder = ROOT / "docs/state"
    wanted = state_schemas()
    assert len(wanted) == len(DOCUMENTED | OBSERVED | AUDITS | MAIL)
    found = {path.name: path.read_bytes() for path in folder.glob("*.schema.json")}
    assert found == wanted, "stale: python -m bkp.state.schema docs/state"
    for content in wanted.values():
        jsonschema.Draft202012Validator.check_schema(msgspec.json.decode(content))


def test_writing_state_schemas_removes_those_of_kinds_that_are_no_more(tmp_path: Path) -> None:
    from bkp.state.schema import state_schemas, write_schemas

    (tmp_path / "gone.schema.json").write_text("{}")
    write_schemas(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(state_schemas())


def test_a_recorded_run_is_valid_by_its_documented_schema() -> None:
    from bkp.state.files import encode_record
    from bkp.state.schema import state_schemas
    from tests.unit.core.support import a_run

    validator = jsonschema.Draft202012Validator(msgspec.json.decode(state_schemas()["run.schema.json"]))
    record = msgspec.json.decode(encode_record(a_run()))
    validator.validate(record)
    validator.validate(record | {"a field of a later version": 1})
    assert not validator.is_valid(record | {"schema": 2})
    assert not validator.is_valid(record | {"outcome": "fine"})
