#!/usr/bin/env bash
# The scripts of this folder in their one-machine form: two local parts each, put together and compared byte for byte with what one
# process makes. RANK1 and XTASK are the built programs; the argument is a folder to work in.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${1:?a folder to work in}
export RANK1=${RANK1:?the built rank1} XTASK=${XTASK:?the built xtask}
export RANK1_BIN=$RANK1

# What a pod of a Job runs: the lines below `- |`, up to the next key.
pod_script() {
    awk '/^ *- \|$/ { deep = index($0, "-") + 1; next }
         deep && /[^ ]/ && match($0, /[^ ]/) <= deep { exit }
         deep { print substr($0, deep + 1) }' "$1"
}

task() { SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_ID=$1 bash "$here/$2" "${@:3}"; }
pod() { PARTS=2 JOB_COMPLETION_INDEX=$1 bash -euc "$(pod_script "$here/$2")"; }
rows_of_parts() { awk 'FNR > 1 || NR == 1' "$1"/part-*.csv; }

same() {
    cmp "$1" "$2"
    echo "same bytes: ${1#"$work"/} and ${2#"$work"/}"
}

# An experiment of eight short runs in a workspace of its own.
root=$work/workspace
mkdir -p "$root/recipes/experiments" "$root/xtask"
cp "$here/../../recipes/claims.toml" "$root/recipes/"
for method in deterministic rank1; do
    members=$([ $method = rank1 ] && echo ', members = 2' || true)
    cat >"$root/recipes/$method.toml" <<TOML
name = "rehearsal/$method"
data = { set = "yacht" }
model = { kind = "mlp", hidden = [8] }
method = { kind = "$method"$members }
train = { epochs = 2, batch_size = 32, optimizer = { kind = "adam", learning_rate = 0.01 } }
TOML
done
cat >"$root/recipes/experiments/rehearsal.toml" <<'TOML'
title = "Rehearsal"
summary = "short runs"
cost = "seconds"
[[block]]
name = "tables"
title = "Tables"
layout = "sets"
sets = [
  { name = "yacht", rows = 277, splits = 20, embedded = true },
  { name = "boston", rows = 455, splits = 20, embedded = true },
]
max_splits = 2
method = [
  { name = "deterministic", label = "Deterministic", recipe = "deterministic.toml" },
  { name = "rank1", label = "Rank-1", recipe = "rank1.toml", cost = 2.0 },
]
column = [
  { metric = "nll", header = "NLL", better = "lower", decimals = 3 },
  { metric = "run.wall_seconds", header = "train s", decimals = 1 },
]
TOML
export CARGO_MANIFEST_DIR=$root/xtask
quietly() { "$@" >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; return 1; }; }
mkdir -p "$root/data"
export NAME=rehearsal DATA=$root/data

quietly "$XTASK" reproduce rehearsal --data "$DATA" --out "$work/whole"
export OUT=$work/array
for part in 1 2; do
    quietly task $part reproduce.sbatch rehearsal --data "$DATA"
done
quietly "$XTASK" reproduce rehearsal --data "$DATA" --out "$OUT" --collect
export OUT=$work/pods
for index in 1 0; do
    quietly pod $index reproduce.yaml
done
quietly "$XTASK" reproduce rehearsal --data "$DATA" --out "$work/joined" --collect --from "$OUT"
for result in tables.md results.json results.csv comparison.json; do
    same "$work/whole/$result" "$work/array/$result"
    same "$work/whole/$result" "$work/joined/$result"
done

# Predictions of a table, each row with draws of its own.
cd "$work"
{
    echo a,b,y
    for i in $(seq 60); do echo "$i,$((i * i % 17)),$((3 * i + i * i % 17))"; done
} >table.csv
cat >table.toml <<'TOML'
name = "rehearsal/table"
data = { set = "csv", file = "table.csv", target = "y" }
model = { kind = "mlp", hidden = [8] }
method = { kind = "rank1", members = 2 }
train = { epochs = 2, batch_size = 16, optimizer = { kind = "adam", learning_rate = 0.01 } }
predict = { draws = "per_row", samples = 4 }
TOML
quietly "$RANK1" train table.toml --out run
quietly "$RANK1" predict run --input table.csv --output whole.csv
for part in 2 1; do
    quietly task $part predict.sbatch run table.csv predicted-array
done
export RUN=run INPUT=table.csv OUT=predicted-pods
for index in 0 1; do
    quietly pod $index predict.yaml
done
for parts in predicted-array predicted-pods; do
    rows_of_parts $parts >$parts.csv
    same "$work/whole.csv" "$work/$parts.csv"
done
