# One word each, and each sets up what it needs: a virtual environment in .venv, made of what requirements-dev.txt
# pins, and made again when that file changes. Written for the make of macOS, too (3.81).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test faults lint model lock

PYTHON := .venv/bin/python
READY := .venv/made-from.txt

help: ## list these words
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(READY) ## run everything here, against stand-in brokers; ARGS="--port 9000" goes to python -m relay run
	@$(PYTHON) -m relay run $(ARGS)

# Most tests wait for processes and sockets: twice as many side by side as a small machine has cores. A file's
# tests stay together, since they share a relay.
test: $(READY) ## run every test; ARGS="-k ledger" goes to pytest
	@$(PYTHON) -m pytest --numprocesses=4 --dist=loadfile $(ARGS)

faults: $(READY) ## everything fails at once, the brokers' books judge; ARGS="--alerts 10000 --seed 7", ARGS=--guards
	@$(PYTHON) -m tests.faults $(ARGS)

lint: $(READY) ## check style, format, types and the direction of imports
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo

model: $(READY) ## check the ledger's model with Spin, in a minute; ARGS="--trace GUARD" shows what a guard is for
	@$(PYTHON) -m model.check $(ARGS)

COMPILE = $(PYTHON) -m uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --system-certs --no-sources --quiet --no-config --custom-compile-command "make lock"

lock: $(READY) ## pin what pyproject.toml asks for, newest first; ARGS="--upgrade-package flask" for one, none for all
	@$(COMPILE) $(if $(ARGS),$(ARGS),--upgrade) --output-file requirements.txt > /dev/null
	@$(COMPILE) --group dev --constraint requirements.txt $(if $(ARGS),$(ARGS),--upgrade) \
		--output-file requirements-dev.txt > /dev/null
	@echo "Pinned in requirements.txt and requirements-dev.txt. Run make test, then look at the difference."

# The marker is a copy: a file that git only touched costs nothing.
$(READY): requirements-dev.txt
	@set -o pipefail; \
	if cmp -s $< $@; then touch $@; exit 0; fi; \
	for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "Cancel Relay needs Python 3.11 or newer, and there is none on the PATH" \
			"(python3 there: $$(command -v python3 > /dev/null && python3 --version || echo missing))."; \
		exit 1; \
	fi; \
	if ! $$python -c 'import ensurepip, venv' 2> /dev/null; then \
		package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
		echo "$$($$python --version) is here, but can't make virtual environments:" \
			"on Debian and Ubuntu install $$package (sudo apt-get install $$package)."; \
		exit 1; \
	fi; \
	count=$$(grep -c '^[a-z].*==' $<); \
	echo "Making .venv with $$($$python --version)."; \
	$$python -m venv --clear .venv || exit 1; \
	echo "Fetching up to $$count packages, each checked against its hash. This takes about half a minute, once."; \
	if ! $(PYTHON) -m pip install --disable-pip-version-check --no-input --progress-bar off \
			--require-hashes --only-binary :all: --requirement $< 2>&1 | tee .venv/install.log | \
			awk '/^Collecting/ && ++n % 10 == 0 { print "  " n " found."; fflush() } \
				/^Installing collected/ { print "  All found. Putting them in place."; fflush() }'; then \
		echo "That failed; .venv/install.log has it all, and ends:"; tail -n 5 .venv/install.log; \
		exit 1; \
	fi; \
	cp $< $@; \
	echo "Ready."
