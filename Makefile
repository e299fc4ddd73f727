# make app            install what is needed into .venv (once) and serve the app on http://localhost:8501
# make dev            the same, and start it anew at every save; the workers stay
# make test           lint, then every test
# make test-fast      unit tests, and pages without a browser, less the slow ones
# make test-browser   the tests in Chromium
# make lock           write the lock files anew from requirements*.txt
# make lint           style, format, types, import contracts
# make tree           write the tree of modules in ARCHITECTURE.md
# make bench          measure speed, as ratios
# make bench-browser  measure how smoothly Chromium shows the app
# make bench-load     measure what each of many visitors gets, also while processes die
# make clean          remove .venv and every cache
#
# Settings: PYTHON=python3.12 (what .venv is made with), VENV=folder, PORT=8501, ADDRESS=localhost, PYTEST_ARGS="-k name",
# TORCH_INDEX=address (an index of PyTorch's other builds, as that in the Dockerfile: its CPU build is small).

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
ADDRESS ?= localhost
PYTEST_ARGS ?=
TORCH_INDEX ?=

bin := $(VENV)/bin
install := TORCH_INDEX="$(TORCH_INDEX)" sh install.sh $(bin)/python
npm := $(shell command -v npm)
# Runs all of them, whatever the first ones say. A variable and not `$(MAKE) lint`, which `make -n test` would really run.
check_style = lint=0; for tool in "ruff check" "ruff format --check" mypy lint-imports; do \
	echo "$$tool"; $(bin)/$$tool || lint=1; done; $(if $(npm),$(check_scripts),$(no_npm))
check_scripts = for tool in tsc "biome check --error-on-warnings"; do \
	echo "$$tool"; node_modules/.bin/$$tool || lint=1; done
no_npm = echo "JavaScript is not checked: npm is not installed." >&2; [ -z "$$BNVIZ_REQUIRE_BROWSER" ] || lint=1

# Only this machine can reach the app, unless ADDRESS says otherwise. Without the last flag, Streamlit's very first start
# on a machine waits for an e-mail address to be typed.
server_options = --server.address $(ADDRESS) --server.port $(PORT) --server.showEmailPrompt false

.DEFAULT_GOAL := help
.PHONY: help app dev test test-fast test-browser lint lock tree bench bench-browser bench-load clean

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

app: $(VENV)/.installed-app
	@$(bin)/python -m streamlit run app.py $(server_options)

dev: $(VENV)/.installed-app
	@$(bin)/python -m bnviz.commands.dev $(server_options)

# Two processes, of which each takes whole files or classes: a page's tests share the workers that the first one starts.
in_parallel = $(bin)/python -m pytest -n 2 --dist loadscope tests/unit tests/pages

# The tests run also after a failed lint, so that one run tells everything; either one fails the target. What keeps one
# core busy runs on both at once, and then what has processes of its own, or the tests that PYTEST_ARGS names instead.
# PYTEST_STATUS_FILE, where set, receives pytest's own exit code: make reports every failure as 2.
test: $(VENV)/.installed-dev $(if $(npm),node_modules/.installed)
	@$(check_style); tests=0; \
	$(if $(PYTEST_ARGS),$(bin)/python -m pytest $(PYTEST_ARGS) || tests=$$?, \
	$(in_parallel) || tests=$$?; $(bin)/python -m pytest --ignore=tests/unit --ignore=tests/pages || tests=$$?); \
	if [ -n "$$PYTEST_STATUS_FILE" ]; then echo $$tests > "$$PYTEST_STATUS_FILE"; fi; \
	if [ $$lint -ne 0 ]; then echo "make test: lint failed (see above the tests)" >&2; fi; \
	[ $$lint -eq 0 ] && [ $$tests -eq 0 ]

test-fast: $(VENV)/.installed-dev
	@$(in_parallel) -q -m "not slow" $(PYTEST_ARGS)

test-browser: $(VENV)/.installed-dev
	@BNVIZ_REQUIRE_BROWSER=1 $(bin)/python -m pytest tests/browser $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev $(if $(npm),node_modules/.installed)
	@$(check_style); exit $$lint

lock: $(VENV)/.installed-dev
	@sh lock.sh $(bin)/uv

tree: $(VENV)/.created
	@$(bin)/python docs/tree.py

bench: $(VENV)/.installed-app
	@$(bin)/python -m benchmarks

bench-browser: $(VENV)/.installed-dev
	@$(bin)/python -m benchmarks.browser

bench-load: $(VENV)/.installed-dev
	@$(bin)/python -m benchmarks.load

clean:
	rm -rf $(VENV) node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build ./*.egg-info
	find app.py bnviz pages benchmarks docs tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps are newer than the lock files they stand for, so a second call installs nothing.
$(VENV)/.installed-app: requirements.lock requirements-torch.lock | $(VENV)/.created
	@echo "Installing the app into $(VENV) (PyTorch is large: this takes minutes, once)"
	@$(install) requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock requirements-torch.lock | $(VENV)/.created
	@echo "Installing the app and its test tools into $(VENV) (PyTorch is large: this takes minutes, once)"
	@$(install) requirements-dev.lock
	@touch $@ $(VENV)/.installed-app

# What checks JavaScript; nothing of it is served.
node_modules/.installed: package.json package-lock.json
	@npm ci --no-audit --no-fund --silent
	@touch $@

# A stamp and not bin/python, because a venv that failed half-way has that file too (Debian without python3-venv).
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "bnviz needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 | tail -n 1)." >&2; \
	echo "Name another one: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it needs the package python3-venv." >&2; exit 1; }
	@touch $@
