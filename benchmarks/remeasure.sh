#!/usr/bin/env bash
# Measures again what is cheap, some 20 minutes on two cores, and regenerates docs/results.md and the README's table.
#   benchmarks/remeasure.sh FOLDER_OF_TABLES [SEEDS]     data/README.md says which tables
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
python=.venv/bin/python tables=${1:?folder of the tables, see data/README.md} seeds=${2:-20}
for benchmark in import_time tree_speed step_time language_step "memory --children 300" input_pipeline; do
  "$python" -m benchmarks.$benchmark --record || echo "$benchmark missed its target" >&2
done
for study in chains nasbench201_cifar10 nasbench201_cifar100 nasbench201_validation nasbench201_good_cell \
  nasbench101_sample ecnas_5v; do
  "$python" -m benchmarks.tables "$study" --tables "$tables" --seeds "$seeds" --processes 2 --record
done
"$python" -m benchmarks.search_synthetic --seeds "$seeds" --trials 56 --noise 0.025 --drift 0.03 --uniform-share 0.5 --record
"$python" -m benchmarks.nao_reconstruction --record || echo "nao_reconstruction missed its target" >&2
"$python" -m benchmarks.results --write
