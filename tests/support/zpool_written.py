"""Outputs of zpool in the forms that its releases print, written for the tests: no real pool, disk or file is named."""

HEADING = "\tNAME                    STATE     READ WRITE CKSUM\n"
TABLE = (
    HEADING + "\tcellar                  ONLINE       0     0     0\n"
    "\t  mirror-0              ONLINE       0     0     0\n"
    "\t    ata-LEFT_01         ONLINE       0     0     0\n"
    "\t    ata-RIGHT_02        ONLINE       0     0     0\n"
)
CLEAN = "errors: No known data errors\n"


def status(
    *, state: str = "ONLINE", above: str = "", table: str = TABLE, below: str = CLEAN, pool: str = "cellar"
) -> str:
    """Return one pool as `zpool status` prints it; `above` stands between state and table, `below` under the table."""
    return f"  pool: {pool}\n state: {state}\n{above}config:\n\n{table}\n{below}"


def row(
    name: str, state: str, read: str = "0", write: str = "0", checksum: str = "0", note: str = "", depth: int = 2
) -> str:
    """Return one row of the table."""
    note = f"  {note}" if note else ""
    return f"\t{'  ' * depth}{name:<{34 - 2 * depth}}{state:<8} {read:>5} {write:>5} {checksum:>5}{note}\n"


HC = (
    "status: One or more devices are faulted in response to IO failures.\n"
    "action: Make sure the affected devices are connected, then run 'zpool clear'.\n"
    "   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-HC\n"
)
DEGRADED_TABLE = (
    HEADING
    + row("cellar", "DEGRADED", depth=0)
    + row("raidz1-0", "DEGRADED", depth=1)
    + row("ata-LEFT_01", "ONLINE")
    + row("spare-1", "DEGRADED", checksum="4")
    + row("replacing-0", "DEGRADED", depth=3)
    + row("987654321987654321", "OFFLINE", note="was /dev/disk/by-id/ata-GONE_09-part1/old", depth=4)
    + row("ata-NEW_07", "ONLINE", note="(resilvering)", depth=4)
    + row("ata-SPARE_05", "ONLINE", depth=3)
    + row("ata-THIRD_03", "FAULTED", "7", "130", "0", "too many errors")
    + "\tdedup\t\n"
    + row("ata-DEDUP_10", "ONLINE", depth=1)
    + "\tspecial\t\n"
    + row("mirror-1", "ONLINE", depth=1)
    + row("nvme-A", "ONLINE", note="(trimming)")
    + row("nvme-B", "ONLINE", note="block size: 512B configured, 4096B native")
    + "\tlogs\t\n"
    + row("nvme-LOG", "UNAVAIL", note="cannot open", depth=1)
    + "\tcache\n"
    + row("nvme-CACHE", "ONLINE", depth=1)
    + "\tspares\n"
    "\t  ata-SPARE_05          INUSE     currently in use\n"
    "\t  ata-SPARE_06          AVAIL\n"
)
FAULTED_LEAF = TABLE.replace(
    "ata-RIGHT_02        ONLINE       0     0     0", "ata-RIGHT_02        FAULTED      3     9     0"
)

# One pool each, in a state of its own.
WRITTEN = {
    "clean": status(above="  scan: scrub repaired 0B in 00:12:30 with 0 errors on Sun Mar  1 04:12:30 2026\n"),
    "never scanned": status(),
    "none requested": status(above=" scrub: none requested\n"),
    "degraded": status(
        state="DEGRADED",
        above=(
            "status: One or more devices is currently being resilvered.  The pool will\n"
            "\tcontinue to function, possibly in a degraded state.\n"
            "action: Wait for the resilver to complete.\n"
            "  scan: resilver in progress since Mon Mar  2 05:00:00 2026\n"
            "\t1.50T / 4.00T scanned at 200M/s, 1.00T / 4.00T issued at 150M/s\n"
            "\t300G resilvered, 25.00% done, 05:49:31 to go\n"
        ),
        table=DEGRADED_TABLE,
    ),
    "faulted leaf under an online pool": status(table=FAULTED_LEAF),
    "suspended and says so": status(
        state="SUSPENDED", above=HC, below="errors: List of errors unavailable: pool I/O is currently suspended\n"
    ),
    "suspended though online": status(above=HC, below="errors: 3 data errors, use '-v' for a list\n"),
    "damaged files": status(
        below=(
            "errors: Permanent errors have been detected in the following files:\n\n"
            "        cellar/letters:<0x2a>\n        cellar/letters@monday:/to aunt.txt\n"
        )
    ),
    "damaged, nobody knows what": status(
        below="errors: Permanent errors have been detected in the following files:\n\n"
    ),
    "two lines of errors": status(
        table=TABLE[:-1] + "\nerrors: List of errors unavailable: permission denied\n",
        below="errors: 6 data errors, use '-v' for a list\n",
    ),
    "scrub with errors": status(
        above="  scan: scrub repaired 1.25M in 1 days 02:03:04 with 2 errors on Sun Mar  1 04:12:30 2026\n",
        below="errors: 2 data errors, use '-v' for a list\n",
    ),
    "unavailable": status(
        state="UNAVAIL",
        above="status: One or more devices could not be opened.\n   see: http://zfsonlinux.org/msg/ZFS-8000-3C\n",
        table=HEADING
        + row("cellar", "UNAVAIL", note="insufficient replicas", depth=0)
        + row("ata-LEFT_01", "UNAVAIL", note="cannot open", depth=1),
    ),
}
