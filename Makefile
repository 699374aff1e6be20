# Builds and tests prefect-worker. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The Debian packages of the libraries that the build links. pkg-config finds them for SwiftPM.
BUILD_PACKAGES := libcurl4-openssl-dev libsystemd-dev libsqlite3-dev libyaml-dev pkg-config
# CI allows no warning. Elsewhere a warning must not stop the build.
SWIFT_FLAGS := $(if $(filter true,$(CI)),-Xswiftc -warnings-as-errors)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: quickstart
quickstart: deps ## Run a flow with a Prefect server and a worker, then stop both
	@examples/quickstart/run.sh

.PHONY: test
test: test-build ## Lint, build and run all tests (more with PREFECT_API_URL, DOCKER_HOST, KUBECONFIG, TEST_SYSTEMD_ROOT, TEST_IMAGE)
	@Tests/run.sh $(SWIFT_FLAGS)

# Programs that use the package from outside, and so see only its public declarations. In CI they share the build of the tests, which saves minutes. Elsewhere
# that would make the next build of the package repeat some of its steps.
EXAMPLES_BUILD := $(if $(filter true,$(CI)),.build,.build/examples)
.PHONY: examples
examples: deps ## Build the programs in examples that use the package, and run their tests
	swift build --package-path examples --scratch-path $(EXAMPLES_BUILD) --build-tests $(SWIFT_FLAGS)
	swift test --package-path examples --scratch-path $(EXAMPLES_BUILD) --skip-build $(SWIFT_FLAGS)

.PHONY: test-build
test-build: test-deps lint ## Lint and build the tests
	swift build --build-tests $(SWIFT_FLAGS)

.PHONY: build
build: deps ## Build for debugging: .build/debug/prefect-worker
	swift build $(SWIFT_FLAGS)

# No program loads this one as a library, and its exported symbols would take 3 MB.
.PHONY: release
release: deps ## Build for release: .build/release/prefect-worker, with Swift's libraries linked statically
	swift build -c release --static-swift-stdlib -Xlinker --no-export-dynamic --product prefect-worker

.PHONY: deb
deb: BUILD_PACKAGES += dpkg-dev
deb: release ## Build a Debian package: .build/package/prefect-worker_VERSION_ARCHITECTURE.deb
	@systemd/packaging/debian/build.sh .build/release/prefect-worker .build/package

# DIST_KEY names a secret key of GPG: a fingerprint or an address. `make dist DIST_IMAGE=` leaves out the container image.
export DIST_KEY
DIST_IMAGE := prefect-worker
.PHONY: dist
dist: BUILD_PACKAGES += dpkg-dev gnupg
dist: release ## Make the files of a release, signed if DIST_KEY names a key of GPG: .build/dist
	@image="$(DIST_IMAGE)"; \
	if [[ -n $$image ]] && ! docker version >/dev/null 2>&1; then image=; echo "No image is archived, because no Docker Engine answers" >&2; fi; \
	if [[ -n $$image ]]; then $(MAKE) --no-print-directory image IMAGE="$$image"; fi; \
	systemd/packaging/dist.sh .build/release/prefect-worker .build/dist $$image

.PHONY: apt-repository
apt-repository: BUILD_PACKAGES += apt-utils
apt-repository: dist ## Add the Debian package to a repository for apt: .build/apt
	@systemd/packaging/repository.sh .build/apt .build/dist/*.deb

# IMAGE is the name of the image. CONTAINER_BUILD_FLAGS are flags of `docker build`, for example `--network host` if
# containers have no network of their own.
CONTAINER_BUILD_FLAGS :=
# IMAGE_BASE is the base image. The default is that of the Dockerfile.
IMAGE_BASE := $(shell sed -n 's/^ARG BASE=//p' examples/container/Dockerfile)
build_image = docker build -t "$(IMAGE)" --target $(1) --build-arg BASE="$(IMAGE_BASE)" --build-arg BUILDER="$(IMAGE_BASE)" \
	$(CONTAINER_BUILD_FLAGS) \
	-f examples/container/Dockerfile .build/image

.PHONY: image
image: IMAGE := prefect-worker
image: image-context ## Build a container image of the worker: prefect-worker
	$(call build_image,worker)

.PHONY: image-python
image-python: IMAGE := prefect-worker:python
image-python: image-context ## Build an image with Python and Prefect, for process pools: prefect-worker:python
	$(call build_image,python)

.PHONY: image-context
image-context: release
	@command -v docker >/dev/null || { echo "docker is needed to build an image: https://docs.docker.com/engine/install" >&2; exit 1; }
	@rm -rf .build/image && mkdir -p .build/image
	@install -s .build/release/prefect-worker .build/image/prefect-worker
	@install -D -m 644 examples/container/requirements.txt .build/image/examples/container/requirements.txt
	@install -m 755 examples/container/entrypoint.sh .build/image/examples/container/entrypoint.sh

.PHONY: python-requirements
python-requirements: ## Regenerate the list of the image's Python packages, with hashes: examples/container/requirements.txt
	@python3 -m venv .build/pip-tools && .build/pip-tools/bin/pip install --quiet pip-tools
	.build/pip-tools/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header --no-annotate \
	  --no-emit-options --output-file examples/container/requirements.txt examples/container/requirements.in

# The program generates these two documents. A test compares both with its output.
PAGES := Sources/prefect-worker/Documentation.docc
.PHONY: settings-page
settings-page: build ## Regenerate the documentation page of flags and settings
	.build/debug/prefect-worker settings --markdown >$(PAGES)/Settings.md

.PHONY: man
man: build ## Regenerate the man page: systemd/prefect-worker.1
	.build/debug/prefect-worker settings --man >systemd/prefect-worker.1

# Makes DocC's pages without a dependency on its plugin: SwiftPM writes the public symbols, docc makes sites of them. In
# the repository the articles link to files. In a site they must link to pages.
LIBRARIES := PrefectClient JobTemplates BackendKit BackendKitTesting WorkerKit ProcessBackend DockerBackend KubernetesBackend SystemdBackend ECSBackend CloudRunBackend VertexAIBackend ContainerInstancesBackend
.PHONY: docs
docs: deps ## Make documentation sites of the program and of each library: .build/docs/NAME
	@rm -rf .build/docs .build/docs-sources && mkdir -p .build/docs .build/docs-sources
	@cp -r $(PAGES) .build/docs-sources/prefect-worker.docc
	@sed -i -E 's/\]\(([A-Z][A-Za-z]*)\.md(#[a-z-]*)?\)/](doc:\1)/g' .build/docs-sources/prefect-worker.docc/*.md
	@docc convert .build/docs-sources/prefect-worker.docc --output-path .build/docs/prefect-worker --warnings-as-errors
	swift package dump-symbol-graph --minimum-access-level public --skip-synthesized-members
	@for library in $(LIBRARIES); do \
	  symbols=".build/docs-sources/$$library"; mkdir "$$symbols"; \
	  for file in .build/*/symbolgraph/"$$library"{.,@*.}symbols.json; do if [[ -e $$file ]]; then cp "$$file" "$$symbols"; fi; done; \
	  docc convert "$$(find Sources -name "$$library.docc")" --additional-symbol-graph-dir "$$symbols" --output-path ".build/docs/$$library" \
	    --disable-parameters-and-returns-validation --warnings-as-errors; \
	done
	@echo "Look at one with: python3 -m http.server -d .build/docs/prefect-worker, at /documentation/prefect-worker"

.PHONY: lint
lint: ## Check the layout of the sources, and the language and presence of the documentation
	swift format lint --strict --recursive Package.swift Sources Tests examples
	python3 Tests/language.py --self-test
	python3 Tests/language.py
	python3 Tests/Schema/generate.py --check

.PHONY: clean
clean: ## Remove the build products and the files of the quickstart
	rm -rf .build .quickstart

# Packages for tests only: independent peers for HTTP/2 and WebSockets, and a tool for certificates. CI also needs
# Prometheus, a browser and the tools that build the package and the images. Elsewhere Prometheus would start as a service.
.PHONY: test-deps
test-deps: BUILD_PACKAGES += nghttp2-server openssl python3-websockets $(if $(filter true,$(CI)),prometheus chromium docker-compose dpkg-dev apt-utils gnupg debootstrap)
test-deps: deps

# Installs only missing packages. If none is missing, it needs neither root nor the network.
.PHONY: deps
deps: ## Install the Debian packages that are missing (as root or with sudo)
	@command -v swift >/dev/null || { echo "Swift 6.2 or newer is needed: https://www.swift.org/install" >&2; exit 1; }
	@missing=(); \
	if command -v dpkg-query >/dev/null; then \
	  for package in $(BUILD_PACKAGES); do \
	    status="$$(dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null || true)"; \
	    [[ "$$status" == *" installed" ]] || missing+=("$$package"); \
	  done; \
	fi; \
	command -v curl >/dev/null || missing+=(curl); \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv); \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	command -v apt-get >/dev/null || { echo "Please install these packages: $${missing[*]}" >&2; exit 1; }; \
	sudo=(); if (( $$(id -u) != 0 )); then sudo=(sudo); fi; \
	echo "Installing $${missing[*]}"; \
	log="$$(mktemp)"; \
	if { "$${sudo[@]}" apt-get update && \
	     "$${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$${missing[@]}"; \
	   } >"$$log" 2>&1 </dev/null; then rm -f "$$log"; \
	else tail -n 20 "$$log" >&2; echo "apt-get failed; its whole output is in $$log" >&2; exit 1; fi
