# Every target makes what it needs: `make demo` and `make test` work in a fresh clone.
# Needed beforehand: Python 3.11+, make, git. uv and go are used where they are found.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null)
GO := $(shell command -v go 2>/dev/null)
BIN := .venv/bin
FUZZ_RUNS ?= 100000
POOL ?= manifests/samples/local-three-models.yaml

# What `make conformance` starts: a picker for each word, whose commas part its flags; and what these are set up for.
PICKERS ?= --transport=native,--conformance-headers --transport=grpc,--conformance-headers
PROFILES ?= core buffered openai health limits robustness conformance-headers empty
CONFORM = $(BIN)/python -m chimera_conformance --strict --envoy
LAUNCH = {python} e2e/conformance/pickers/chimera.py --port {port} --endpoints {endpoints} --folder {folder}
comma := ,

# What `make e2e` runs, in this order: the last one takes the release away.
E2E ?= e2e/cluster/suite e2e/chaos e2e/smoke
E2E_IMAGES = router operator simulator envoy echo
E2E_PROGRAMS = helm kube-router prometheus
E2E_GATEWAYS ?= envoy-gateway istio
# What is done with the cluster of this machine; nothing where KUBECONFIG names another.
OWN_CLUSTER = $(if $(KUBECONFIG),true,$(BIN)/python -m chimera_cluster)

# What GIE's suite cannot find in Istio, whatever picker stands behind it: e2e/conformance/reports says why.
ISTIO_LACKS = GatewayWeightedAcrossTwoInferencePools

.PHONY: help up demo test conformance gie-conformance controlplane helm peers images cluster cluster-down e2e e2e-vllm check lint format proto manifests lock bench bundle clean fuzz chaos soak

help: ## list the targets
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv: requirements/dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 2; }
ifneq ($(UV),)
	@test -x $(BIN)/python || $(UV) venv -q --clear --python $(PYTHON) .venv
	@touch -t 197001010000 .venv # out of date until the last line
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	@touch -t 197001010000 .venv # out of date until the last line
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	@touch .venv

# torch and transformers on top, for the tests of the text encoders; gigabytes that nothing else here needs.
$(BIN)/.encoders: .venv requirements/encoders.lock
ifneq ($(UV),)
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/encoders.lock
else
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/encoders.lock
endif
	@touch $@

up: .venv ## serve a pool on this machine until stopped (POOL=file)
	$(BIN)/chimera up $(POOL)

demo: .venv ## replay measured agent workflows through Envoy, picker and simulated engines
	$(BIN)/chimera demo

test: $(BIN)/.encoders $(if $(GO),controlplane helm peers) ## run every test
	$(BIN)/pytest

conformance: .venv ## hold the picker against the endpoint picker protocol, directly and through Envoy
	$(CONFORM) --plaintext $(PROFILES:%=--profile %) \
		$(foreach flags,$(PICKERS),--picker "$(LAUNCH) -- --insecure $(subst $(comma), ,$(flags))")
	$(CONFORM) --plaintext --profile core --profile fallback --case 'fallback.*' --case 'envoy-override.*' \
		--picker "$(LAUNCH) --fallback-endpoints 2 -- --insecure"
	$(CONFORM) --tls --profile tls --profile core --case 'tls.*' --case 'response.*' --case 'envoy.*' --picker "$(LAUNCH)"

gie-conformance: .venv ## run GIE's conformance suite, of gateways, with the picker behind Istio (needs what cluster needs)
	$(OWN_CLUSTER) up
	$(OWN_CLUSTER) istio
	$(OWN_CLUSTER) gie-conformance $(ISTIO_LACKS:%=--skip %)

controlplane: .venv ## build Kubernetes for the tests, once for a user; minutes the first time (needs go)
	$(BIN)/python -m chimera_cluster build etcd kube crds gateways kwok

helm: .venv ## build Helm 4 and 3, by which the chart is tested, once for a user (needs go)
	$(BIN)/python -m chimera_cluster build helm helm3

peers: .venv ## build what the transport's tests talk HTTP/2 with, once for a user (needs go)
	$(BIN)/python -m chimera_cluster build h2spec gateway

images: .venv ## build the images of router, operator and simulator into out/images (docker, podman or buildah)
	$(BIN)/python -m chimera_cluster images

cluster: .venv ## start a one-node Kubernetes here (needs root, go), unless KUBECONFIG names one (GATEWAY=envoy-gateway or istio)
	$(BIN)/python -m chimera_cluster up
	$(if $(GATEWAY),$(BIN)/python -m chimera_cluster $(GATEWAY))

cluster-down: .venv ## end it, without a trace
	$(BIN)/python -m chimera_cluster down

e2e: .venv ## install Chimera into a cluster and hold it there under load and faults; minutes (needs what cluster needs)
	$(if $(KUBECONFIG),,$(BIN)/pytest e2e/cluster/machine)
	$(BIN)/python -m chimera_cluster images $(E2E_IMAGES)
	$(BIN)/python -m chimera_cluster build $(E2E_PROGRAMS)
	$(OWN_CLUSTER) up
	$(foreach each,$(E2E_GATEWAYS),$(OWN_CLUSTER) $(each) &&) true
	$(BIN)/python -m chimera_cluster run -- $(abspath $(BIN))/pytest -s $(E2E) || { $(OWN_CLUSTER) down; exit 1; }
	$(OWN_CLUSTER) down

# Of its own pytest run, since the machine is busy with vLLM: E2E_VLLM="-k drain".
e2e-vllm: .venv ## hold engine profiles, picker and simulator against real vLLM on CPUs (6 GB in the user's cache, the first time)
	$(BIN)/python -m chimera_vllm
	$(BIN)/pytest e2e/vllm $(E2E_VLLM)

fuzz: .venv ## run the fuzz targets (FUZZ_RUNS=of each)
	$(BIN)/python tests/support/fuzzing.py --runs $(FUZZ_RUNS)

check: .venv lint ## everything CI checks besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python proto/generate.py --check
	$(BIN)/python manifests/generate.py --check

lint: .venv ## ruff, all rules
	$(BIN)/ruff check .

format: .venv ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: .venv ## regenerate chimera_proto from proto/
	$(BIN)/python proto/generate.py

manifests: .venv ## regenerate the CRDs, their reference, dashboards and the chart's copies
	$(BIN)/python manifests/generate.py

bundle: .venv ## retrain and measure the bundle that ships in the wheel, five fits
	$(BIN)/chimera train --held-out 0.3 --seeds 5 --out router/chimera_router/prediction/bundles/default

# Options of the next three: BENCH="--rounds 5 --secs 4", GO_PICKER=path of the Go picker, CHAOS="--rows 1,2", ...
bench: .venv ## measure the decision, then pickers behind Envoy; minutes
	$(BIN)/python -m chimera_bench.micro
	$(BIN)/python -m chimera_bench.load $(BENCH)

chaos: .venv ## make faults, and print what becomes of requests; ten minutes
	$(BIN)/python -m chimera_bench.chaos $(CHAOS)

soak: .venv ## send 24,000 requests of every kind, and print what stays behind; minutes
	$(BIN)/python -m chimera_bench.soak $(SOAK)

lock: ## resolve requirements/*.lock anew (needs uv)
	@test -n "$(UV)" || { echo "make lock needs uv on the PATH" >&2; exit 2; }
	for extra in dev router operator simulator; do \
		$(UV) pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
			--custom-compile-command 'make lock' --extra $$extra pyproject.toml -o requirements/$$extra.lock; done
	$(UV) pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command 'make lock' -c requirements/dev.lock --extra encoders pyproject.toml -o requirements/encoders.lock
	$(UV) pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
		--custom-compile-command 'make lock' --override requirements/vllm.overrides requirements/vllm.in -o requirements/vllm.lock

clean: ## remove what was built
	rm -rf .venv dist build out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
