"""What `smartctl --json` printed of one disk, of any release from 7.0 on."""

from __future__ import annotations

from bkp.disk_health import exit_status, verdict
from bkp.disk_health.as_json import ata, nvme, scsi, tree
from bkp.disk_health.model import Attribute, DiskHealth, Identity, PowerState, Protocol, SelfTest, Values
from bkp.disk_health.words import clean, first_known, protocol_named, some_messages

_ATTRIBUTE_CHECK = "based on an Attribute check"
# of these smartctl prints objects, or nothing: of anything else nobody knows what it would have said
_PARTS = (
    "ata_smart_attributes",
    "ata_smart_data",
    "ata_smart_self_test_log",
    "nvme_smart_health_information_log",
    "nvme_self_test_log",
    "scsi_error_counter_log",
    "temperature",
)


def protocol_of(device: object) -> Protocol | None:
    """Return the protocol of a `device` object. Its `type` tells the bridge or controller, not the disk."""
    return protocol_named(tree.text(device, "protocol"))


def read_json(document: tree.Tree, *, ended_with: int | None = None) -> DiskHealth:
    """Return what one decoded output says. `ended_with` is the exit status, if it was seen from outside as well."""
    protocol = protocol_of(tree.at(document, "device"))
    messages = _messages(document)
    resting = exit_status.left_alone(messages)
    mode = _power_mode(document, resting)
    asleep = exit_status.power_state(mode) is PowerState.ASLEEP
    said = tree.whole(document, "smartctl", "exit_status")
    garbled = said is None and tree.at(document, "smartctl", "exit_status") is not None
    garbled = garbled or any(not isinstance(document.get(name, {}), dict) for name in _PARTS)
    status = exit_status.combined(said, ended_with)
    bits = exit_status.exit_bits(status, resting=resting, asleep=asleep)
    identity = _identity(document, protocol)
    table = ata.table(document)
    unread = protocol is None or (table.rows is not None and not table.whole)
    values = _values(document, protocol, table.rows, identity)
    test_status, tests = _self_tests(document, protocol, values.power_on_seconds)
    heard = DiskHealth(
        device=tree.text(document, "device", "name"),
        interface=tree.text(document, "device", "type"),
        protocol=protocol,
        smartctl_version=_version(document),
        identity=identity,
        power_said=mode,
        smart_available=tree.flag(document, "smart_support", "available"),
        smart_enabled=tree.flag(document, "smart_support", "enabled"),
        passed=tree.flag(document, "smart_status", "passed"),
        health_said=tree.text(document, "smart_status", "scsi", "ie_string"),
        health_from_attributes=any(_ATTRIBUTE_CHECK in message for message in messages),
        exit_status=status,
        exit_bits=bits,
        values=values,
        critical_warning=nvme.critical_warning(document),
        self_test_status_said=test_status,
        self_tests=tests,
        self_tests_supported=first_known(
            tree.flag(document, "ata_smart_data", "capabilities", "self_tests_supported"),
            tree.flag(document, "nvme_optional_admin_commands", "self_test"),
        ),
        short_test_minutes=tree.whole(document, "ata_smart_data", "self_test", "polling_minutes", "short"),
        long_test_minutes=tree.whole(document, "ata_smart_data", "self_test", "polling_minutes", "extended"),
        messages=messages,
    )
    return verdict.concluded(heard, table, in_doubt=garbled or unread or resting is not None)


def _messages(document: tree.Tree) -> tuple[str, ...]:
    found = tree.rows(document, "smartctl", "messages") or []
    return some_messages(said for item in found if (said := tree.text(item, "string")) is not None)


def _version(document: tree.Tree) -> str | None:
    parts = tree.rows(document, "smartctl", "version") or []
    numbers = [part for part in parts if isinstance(part, int)]
    return ".".join(map(str, numbers)) if numbers and len(numbers) == len(parts) else None


def _power_mode(document: tree.Tree, resting: exit_status.LeftAlone | None) -> str | None:
    if resting is not None:
        return resting.mode
    for key in ("ata_string", "name", "scsi_string", "string"):
        if (found := tree.text(document, "power_mode", key)) is not None:
            return found
    return None


def _identity(document: tree.Tree, protocol: Protocol | None) -> Identity:
    capacity = tree.whole(document, "user_capacity", "bytes")
    if not capacity and protocol is Protocol.NVME:
        capacity = tree.whole(document, "nvme_total_capacity")
    model = tree.text(document, "model_name") or tree.text(document, "scsi_model_name")
    solid = protocol is Protocol.NVME
    return Identity(
        model=model,
        family=tree.text(document, "model_family"),
        serial=tree.text(document, "serial_number"),
        firmware=tree.text(document, "firmware_version") or tree.text(document, "scsi_revision"),
        stable_id=_stable_id(document),
        capacity_bytes=capacity,
        rotation_rpm=0 if solid else tree.whole(document, "rotation_rate"),
        smartctl_knows_model=tree.flag(document, "in_smartctl_database"),
    )


def _stable_id(document: tree.Tree) -> str | None:
    naa, oui, number = (tree.whole(document, "wwn", part) for part in ("naa", "oui", "id"))
    if naa is not None and oui is not None and number is not None:
        return f"0x{naa:x}{oui:06x}{number:09x}"
    if (unit := tree.text(document, "logical_unit_id")) is not None:
        return clean(unit).lower()
    spaces = tree.rows(document, "nvme_namespaces") or [None]
    oui, number = tree.whole(spaces[0], "eui64", "oui"), tree.whole(spaces[0], "eui64", "ext_id")
    return f"eui.{oui:06x}{number:010x}" if oui is not None and number is not None else None


def _values(
    document: tree.Tree, protocol: Protocol | None, rows: tuple[Attribute, ...] | None, identity: Identity
) -> Values:
    if protocol is Protocol.NVME:
        return nvme.values(document)
    if protocol is Protocol.SCSI:
        return scsi.values(document)
    return ata.values(document, rows, identity)


def _self_tests(
    document: tree.Tree, protocol: Protocol | None, power_on: int | None
) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    if protocol is Protocol.NVME:
        return nvme.self_tests(document, power_on)
    if protocol is Protocol.SCSI:
        return scsi.self_tests(document, power_on)
    return ata.self_tests(document, power_on)
