# Thin aliases: what they do is in the commands they call.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: demo test lint serve ui doctor bench fuzz soak wheels clean sbom test-alerts test-container test-bundle test-batch test-tensorrt gates gpu-check

demo: .venv/demo
	$(BIN)/triptych demo $(CLIP)

# In two processes, of which one has the tests of the session's server (tests/conftest.py).
test: .venv/dev
	$(BIN)/python -m pytest --numprocesses 2

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/triptych configs --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/hadolint docker/Dockerfile docker/Dockerfile.cpu
	$(BIN)/python docker/check_cluster.py

serve: .venv/demo
	$(BIN)/triptych export
	$(BIN)/triptych serve

# The page to try it on, beside `make serve`.
ui: .venv/ui
	$(BIN)/triptych ui

# Before any set-up, it runs on the bare Python that the set-up would take.
doctor:
	@if [ -x $(BIN)/triptych ]; then $(BIN)/triptych doctor; else $(PYTHON) -m triptych.commands.doctor; fi

# What the README says of speed, in a quarter of an hour; nothing else is to run meanwhile.
bench: .venv/dev
	$(BIN)/python -m benchmarks.end_to_end
	$(BIN)/python -m benchmarks.limit --window 6
	$(BIN)/python -m benchmarks.cold --repeats 2

# DATA=DIR adds the media files of a folder to the seeds that are made.
fuzz: .venv/dev
	$(BIN)/python -m benchmarks.fuzz $(if $(DATA),--data $(DATA))

soak: .venv/dev
	$(BIN)/python -m benchmarks.soak

# The rules for Prometheus against made-up measurements; promtool is in Debian's package prometheus.
test-alerts:
	promtool check rules docs/alerts.yaml
	promtool check config --syntax-only docker/prometheus/prometheus.yaml
	promtool test rules docs/alerts.test.yaml

# The images, built and run without a registry: root, and Debian's packages podman, runc and debootstrap.
test-container: .venv/dev
	$(BIN)/python docker/check_container.py

# Every graph that becomes an engine, built by TensorRT-RTX, which needs no GPU; it lies in a folder of its own, so that
# the environment stays as it is.
RTX := build/tensorrt-rtx
test-tensorrt: .venv/dev
	$(INSTALL) --no-deps --upgrade --target $(RTX) tensorrt-rtx-cu13-libs==1.7.1.116 tensorrt-rtx-cu13-bindings==1.7.1.116
	PYTHONPATH=$(RTX) $(BIN)/python -m pytest tests/engines

# `triptych batch` on two nodes of Ray and an S3 of this machine, while things are killed: Ray and moto, 150 MB.
test-batch: .venv/dev
	$(INSTALL) --editable client --editable '.[batch]'
	$(BIN)/python -m pytest tests/batch

# How far the exported graphs are from their networks. DATA=DIR adds the faces of FER2013.
gates: .venv/demo
	$(BIN)/python -m export.gates $(if $(DATA),--data $(DATA))

# The offline bundle, made, put up and served from without a network: root (or user namespaces), unshare and ip.
test-bundle: .venv/dev
	$(BIN)/python docker/check_bundle.py $(BUNDLE)

# Where there is a GPU: ten minutes that say whether it serves the same answers, and how fast. DEVICE=cpu rehearses it.
gpu-check: .venv/dev
	$(BIN)/python -m benchmarks.gpu_check $(if $(DEVICE),--device $(DEVICE)) $(if $(OUT),--out $(OUT))

# What a serving host has installed, by name, version and licence (CycloneDX); the images carry their own.
sbom: .venv/dev
	$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --output-file build/sbom.cdx.json $(BIN)/python

wheels: .venv/dev
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheels ./client .

clean:
	rm -rf .venv build .model_repository.lock
	git clean -fdXq model_repository

.venv/demo: pyproject.toml client/pyproject.toml
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable client --editable '.[export,demo]'
	touch $@

.venv/ui: .venv/demo
	$(INSTALL) --editable 'client[ui]'
	touch $@

# Also what the demo needs, in one resolution by pip.
.venv/dev: pyproject.toml client/pyproject.toml
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable client --editable '.[dev]'
	touch .venv/demo $@
