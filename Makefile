# The one door. `make` alone lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(CURDIR)/.demo
SOURCES := $(shell find src pipelines -name '*.py' -o -name '*.yaml' -o -name 'py.typed' 2>/dev/null) pyproject.toml README.md LICENSE

# A ZenML store of the demo's own: the user's is never touched.
DEMO_ENV := ZENML_CONFIG_PATH=$(DEMO)/zenml \
	ZENML_ANALYTICS_OPT_IN=false \
	ZENML_ENABLE_REPO_INIT_WARNINGS=false \
	ZENML_LOGGING_VERBOSITY=INFO \
	AUTO_OPEN_DASHBOARD=false \
	ZENML_FTVR_CACHE=$(DEMO)/cache \
	WANDB_DIR=$(DEMO)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# A half-made environment is made again: the stamp is written last.
$(VENV)/.dependencies: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV) (some minutes the first time) ..."
	@$(BIN)/python scripts/dependencies.py demo dev server > $(VENV)/requirements.txt
	@$(BIN)/pip install -q -r $(VENV)/requirements.txt -c constraints.txt
	@touch $@

# Installed as a wheel, not editable: ZenML would resolve an editable src layout as `src.zenml_ftvr`.
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@rm -rf dist
	@$(BIN)/python -m build -q --wheel --no-isolation > $(VENV)/build.log 2>&1 || (cat $(VENV)/build.log; exit 1)
	@$(BIN)/pip install -q --no-deps --force-reinstall dist/*.whl
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Make .venv and install the package into it, as a wheel

$(DEMO)/zenml/.ready: $(VENV)/.installed
	@mkdir -p $(DEMO)/zenml
	@$(DEMO_ENV) $(BIN)/zenml-ftvr setup --activate
	@touch $@

.PHONY: demo
demo: $(DEMO)/zenml/.ready ## Run the main job on the embedded default; what is done is not done again
	@mkdir -p $(DEMO)
	@cd $(CURDIR) && $(DEMO_ENV) $(BIN)/zenml pipeline run \
		pipelines.recommend_and_train.recommend_and_train -c pipelines/configs/quickstart.yaml
	@echo "The report:"
	@echo "$(CURDIR)/ftvr_report/report.html"

.PHONY: dashboard
dashboard: $(DEMO)/zenml/.ready ## Show the runs of the demo in the ZenML dashboard, until Ctrl-C (needs no account)
	@$(DEMO_ENV) $(BIN)/zenml login --local --blocking

.PHONY: test
test: $(VENV)/.installed ## Unit tests, the ZenML layer, and one pipeline end to end (a quarter of an hour)
	@$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

.PHONY: test-all
test-all: $(VENV)/.installed ## Everything that is tested, the slow ones too
	@$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: check
check: $(VENV)/.installed ## Format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=src:. $(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.dependencies ## Put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## Remove what the demo and the builds made; .venv stays
	@rm -rf $(DEMO) dist build ftvr_report .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
