# The lab: virtual machines with real ZFS, systemd and disks. docs/lab.md says what they can show.

LAB_PYTHON := $(VENV)/bin/python
RELEASE ?= bookworm,trixie
SMOKE_RELEASE ?= bookworm
# Machines side by side: one test module's on one release each. One keeps about one core busy (more with KVM).
LAB_WORKERS ?= 2
LAB_PYTEST = $(LAB_PYTHON) -m pytest tests/vm --verbose --durations=40 -n $(LAB_WORKERS)

##@ Test it on whole machines

.PHONY: test-vm
test-vm: lab-image ## Every lab test on each release (RELEASE=bookworm,trixie LAB_WORKERS=2); long
	@$(LAB_PYTEST) --release $(RELEASE)

.PHONY: test-vm-smoke
test-vm-smoke: lab-host ## The main path on one release (SMOKE_RELEASE=bookworm)
	@$(LAB_PYTHON) -m tests.vm.lab image --release $(SMOKE_RELEASE)
	@$(LAB_PYTEST) --release $(SMOKE_RELEASE) -m smoke

.PHONY: test-trixie
test-trixie: lab-host ## make test in a root tree of Debian 13, on this kernel (root; PYTEST_ARGS=...)
	@$(LAB_PYTHON) -m tests.vm.lab test --release trixie --pytest-args='$(PYTEST_ARGS)'

.PHONY: lab
lab: lab-host ## Leave a machine up and print its ssh command (LAB_ARGS='--release trixie --state pool')
	@$(LAB_PYTHON) -m tests.vm.lab up $(LAB_ARGS)

.PHONY: lab-stop
lab-stop: ## End the machines that `make lab` left up
	@$(LAB_PYTHON) -m tests.vm.lab stop

.PHONY: lab-image
lab-image: lab-host ## Build the images that are missing (RELEASE=...; root, minutes each)
	@$(LAB_PYTHON) -m tests.vm.lab image --release $(RELEASE)

.PHONY: lab-host
lab-host:
	@scripts/bootstrap test
	@tests/vm/setup
