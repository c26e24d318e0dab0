"""What smartctl printed of one disk for people. What the text does not say is unknown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.disk_health import exit_status, verdict
from bkp.disk_health.as_text import ata, nvme, scsi
from bkp.disk_health.model import Attribute, DiskHealth, Identity, Protocol, SelfTest, Values
from bkp.disk_health.words import clean, grouped_number, leading_number, protocol_named, some_messages

if TYPE_CHECKING:
    from bkp.disk_health.as_text.lines import Text

_BANNER = re.compile(r"smartctl (?:version |pre-)?(\d+\.\d+)\b.*")
_OPENED = re.compile(r"(\S+): Device of type '([^']+)' \[(\w+)[^\]]*\] opened")
_NAMED = re.compile(r"(/dev/\S+): (?:Unknown USB bridge|Unable to detect device type|.*\bopen).*")
_OPEN_FAILED = re.compile(r"Smartctl open device: (/dev/\S+)(?: \[[^\]]*\])* failed: .*")
_STATEMENT = re.compile(r"SMART (?:overall-health self-assessment test result|Health Status): ?(.*)")
_WORDS = {"PASSED": True, "OK": True, "FAILED!": False}
_SCSI_ALARM = re.compile(r".*\[asc=[0-9a-f]+, ?ascq=[0-9a-f]+\].*", re.IGNORECASE)
# in place of a table, or before it, these say that the disk's own word is not to be had
_DOUBT = re.compile(r".*(?:SMART Status command failed|mandatory SMART command failed).*")
_ATTRIBUTE_CHECK = re.compile(r".*based on an Attribute check.*")
_MESSAGE = re.compile(
    r"Device is in .* mode, exit\(\d+\)|CHECK POWER MODE .*|Warning: .*|Please (?:specify|note).*|"
    r".*\bUnknown USB bridge\b.*|.*Unable to detect device type.*|.*\bfailed: .*|.*command failed.*|"
    r"SMART (?:Disabled|Status not supported).*|.*Permission denied.*|- (?:available|temperature|NVM|media|volatile|"
    r"persistent|unknown critical).*"
)
_SIGNS = {
    Protocol.NVME: re.compile(r"NVMe Version:.*|.*\(NVMe Log 0x.*|Critical Warning:.*|Namespace 1 .*|Total NVM .*"),
    Protocol.SCSI: re.compile(
        r"SMART Health Status:.*|Transport protocol:.*|Logical Unit id:.*|Product:.*|Elements in grown defect list:.*|"
        r"Current Drive Temperature:.*|Num\s+Test\s+Status\b.*"
    ),
    Protocol.ATA: re.compile(
        r"Device Model:.*|S?ATA Version is:.*|ID#\s+ATTRIBUTE_NAME\b.*|LU WWN Device Id:.*|General SMART Values:|"
        r"SMART (?:Extended )?Self-test [Ll]og (?:structure|Version).*"
    ),
}


def is_smartctl(apart: Text) -> bool:
    """Whether a text holds smartctl's own first line, or a part that only smartctl prints."""
    return any(apart.matches(_BANNER)) or any(apart.matches(_STATEMENT)) or _protocol(apart) is not None


def serials(apart: Text) -> tuple[str, ...]:
    """Return the different serial numbers in a text: more than one is more than one disk."""
    return tuple(dict.fromkeys(apart.fields.get("serial number", ())))


def read_text(apart: Text, *, ended_with: int | None = None) -> DiskHealth:
    """Return what one output says. `ended_with` is the exit status, if it was seen; the text seldom tells it."""
    protocol = _protocol(apart)
    resting = exit_status.left_alone(apart.lines)
    mode = resting.mode if resting else apart.first("power mode is", "power mode was")
    status = exit_status.combined(resting.exit_status if resting else None, ended_with)
    bits = exit_status.exit_bits(status, resting=resting, asleep=False)
    identity = _identity(apart, protocol)
    table = ata.table(apart)
    values = _values(apart, protocol, table.rows, identity)
    test_status, tests = _self_tests(apart, protocol, values.power_on_seconds)
    said = tuple(match[1].strip() for match in apart.matches(_STATEMENT))
    passed = _passed(said)
    device, interface = _device(apart)
    nvme_answered = protocol is Protocol.NVME and (passed is not None or values != Values())
    heard = DiskHealth(
        device=device,
        interface=interface,
        protocol=protocol,
        smartctl_version=next((match[1] for match in apart.matches(_BANNER)), None),
        identity=identity,
        power_said=mode,
        smart_available=_support(apart, "Available", "Unavailable", nvme_answered=nvme_answered),
        smart_enabled=_support(apart, "Enabled", "Disabled", nvme_answered=nvme_answered),
        passed=passed,
        health_said=clean(said[0]) if said else None,
        health_from_attributes=any(apart.matches(_ATTRIBUTE_CHECK)),
        exit_status=status,
        exit_bits=bits,
        values=values,
        critical_warning=nvme.critical_warning(apart),
        self_test_status_said=test_status,
        self_tests=tests,
        messages=some_messages(match[0] for match in apart.matches(_MESSAGE)),
    )
    return verdict.concluded(heard, table, in_doubt=resting is not None or any(apart.matches(_DOUBT)))


def _protocol(apart: Text) -> Protocol | None:
    """Return the protocol that the text shows; a name in brackets only where nothing else does."""
    for protocol, sign in _SIGNS.items():
        if any(apart.matches(sign)):
            return protocol
    if opened := next(apart.matches(_OPENED), None):
        return protocol_named(opened[3])
    return None


def _passed(said: tuple[str, ...]) -> bool | None:
    """Return the worst of what the disk says of itself; None where it says nothing, or what nobody knows."""
    found = [False if _SCSI_ALARM.fullmatch(words) else _WORDS.get(words) for words in said]
    if False in found:
        return False
    return None if None in found or not found else True


def _device(apart: Text) -> tuple[str | None, str | None]:
    for opened in apart.matches(_OPENED):
        return opened[1], opened[2]
    for pattern in (_OPEN_FAILED, _NAMED):
        for match in apart.matches(pattern):
            return match[1], None
    return None, None


def _support(apart: Text, yes: str, no: str, *, nvme_answered: bool) -> bool | None:
    """Return what the lines "SMART support is" say of one question; an NVMe disk that answered needs none."""
    for value in apart.fields.get("smart support is", ()):
        for word, answer in ((yes, True), (no, False)):
            if value.startswith(word):
                return answer
    return True if nvme_answered else None


def _identity(apart: Text, protocol: Protocol | None) -> Identity:
    capacity = apart.first(
        "user capacity", "namespace 1 size/capacity", "namespace 1 capacity", "namespace 1 size", "total nvm capacity"
    )
    rotation = apart.first("rotation rate") or ""
    solid = protocol is Protocol.NVME or rotation == "Solid State Device"
    known = apart.first("device is")
    product = " ".join(part for name in ("vendor", "product") if (part := apart.first(name)))
    return Identity(
        model=apart.first("device model", "model number") or product or None,
        family=apart.first("model family"),
        serial=apart.first("serial number"),
        firmware=apart.first("firmware version", "revision"),
        stable_id=_stable_id(apart),
        capacity_bytes=grouped_number(capacity or ""),
        rotation_rpm=0 if solid else leading_number(rotation),
        smartctl_knows_model=known.startswith("In smartctl database") if known else None,
    )


def _stable_id(apart: Text) -> str | None:
    if wwn := apart.first("lu wwn device id"):
        return "0x" + "".join(wwn.lower().split())
    if unit := apart.first("logical unit id"):
        return unit.lower()
    eui = apart.first("namespace 1 ieee eui-64")
    return "eui." + "".join(eui.lower().split()) if eui else None


def _values(apart: Text, protocol: Protocol | None, rows: tuple[Attribute, ...] | None, identity: Identity) -> Values:
    if protocol is Protocol.NVME:
        return nvme.values(apart)
    if protocol is Protocol.SCSI:
        return scsi.values(apart)
    return ata.values(apart, rows, identity)


def _self_tests(
    apart: Text, protocol: Protocol | None, power_on: int | None
) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    if protocol is Protocol.NVME:
        return nvme.self_tests(apart, power_on)
    if protocol is Protocol.SCSI:
        return scsi.self_tests(apart, power_on)
    return ata.self_tests(apart, power_on)
