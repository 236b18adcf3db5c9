# The front door. scripts/front.py does the work; from the lines with ## below it takes the help and the
# variables that a target knows. make itself puts variables from its command line into the environment.

PYTHON ?= python3

help:     ## List the targets and their variables
blocks:   ## Print the names of the blocks, one a line
sim:      ## Run the network on the RTL and score it; with BLOCK, run that block's tests [BLOCK SIM SEED IMAGES TEST FULL WAVES VERBOSE]
test:     ## All that must pass before a commit lands: check, models, every block on both simulators [SEED VERBOSE]
check:    ## Lint and format of Verilog and Python, types
format:   ## Let the formatters write what check would ask for
clean:    ## Remove build/ (.venv stays)
net:      ## Run a network of your own (.tflite, .onnx) on the RTL, judged by its runtime; with TILE, one tile of a run that differed [MODEL INPUT TILE SIM SEED CONTRACT FC WAVES VERBOSE]
bench:    ## Measure cycles and simulation speed: ResNet-50 and other networks, block builds [SEED]
registers: ## From rtl/csr/npu.rdl: docs/registers.md, and an HTML page, a C header, a pyuvm model
regress:  ## Every block and the chip, many seeds, both simulators; a failure runs again with waves [SEEDS SEED BLOCK SIM JOBS]
coverage: ## Functional and code coverage of every block, merged, reported and gated [SEEDS SEED BLOCK JOBS]
formal:   ## Not there yet: proofs
mutate:   ## Not there yet: break the RTL on purpose, count what the tests catch
report:   ## Not there yet: all results on one page

.DEFAULT_GOAL := help
TARGETS := $(shell sed -n 's/^\([a-z]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))
.PHONY: $(TARGETS)
$(TARGETS):
	@$(PYTHON) -m scripts.front $@
