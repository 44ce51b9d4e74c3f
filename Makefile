# The commands of this repository; what they do stands in scripts/ and xtask/.

.DEFAULT_GOAL := help
.PHONY: help run build dev demo test check fuzz bench

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## Install what is missing, build, and serve with everything in ./data
	@scripts/run

build: ## Leave the server, with the site in it, in target/release/afterlive
	@scripts/build

dev: ## Serve, and build and restart on each change
	@scripts/dev

test: ## Install what is missing and run all tests
	@scripts/test

check: ## Format, lints, licences, documents and their links
	@scripts/check

demo: ## Publish a test pattern to /rec and show the recording
	@scripts/demo

fuzz: ## Look for input that breaks what must hold; TARGET=all SECONDS=600
	@scripts/fuzz $(or $(TARGET),all) $(or $(SECONDS),600)

bench: ## Measure against nginx and ffmpeg, in one run, as ratios
	@scripts/bench
