"""The lab: Debian machines with real ZFS, systemd and disks, for tests that a container or a laptop cannot run.

The modules build on each other in this order, and imports flow only this way::

    errors, paths, locks, progress, prerequisites      what everything uses
    apt, recipe, shelf, image                          a root image per Debian release
    disks, accel, network, qmp, qemu                   what a virtual machine is made of
    guest                                              the interface the tests talk to
    pool                                               the pool on a guest
    ssh, runs, virtual                                 a machine under QEMU
    onhost                                             the same interface on a host that has ZFS itself
    wheels, states                                     prepared states: disks that later boots start from
    recordings                                         what the real programs print, for tests of parsers
    kept, cli                                          `make lab`, `make lab-image`

Only the standard library is used, so that an image can be built before anything of the project is installed.
"""
