#!/bin/sh
# Rebuilds every file of this model folder from a corpus: build.sh CORPUS [WORK] [OUT]
#
# Every step leaves its result in WORK and an interrupted step goes on from its last checkpoint,
# so that the same command can be run again. The minutes suit two free cores; more help.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
corpus=$1
work=${2:-$here/work}
out=${3:-$(dirname "$here")}
python=${PYTHON:-python3}

# One thread per worker process; freed memory is kept (large tensors come and go all the time).
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
export MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000

mkdir -p "$work" "$out"
"$python" "$here/train_target.py" "$corpus" "$work" --minutes "${TARGET_MINUTES:-60}"
"$python" "$here/export_target.py" "$work" "$out"
"$python" "$here/check_logits.py" "$work" "$out"
"$python" "$here/heldout.py" "$work" "$out"
"$python" "$here/check_tokenizer.py" "$out"
"$python" "$here/generate_stories.py" "$work" "$out" --groups "${GENERATED_GROUPS:-10}"
"$python" "$here/train_drafts.py" small "$work" "$out" --minutes "${SMALL_MINUTES:-10}"
"$python" "$here/train_drafts.py" eagle "$work" "$out" --minutes "${EAGLE_MINUTES:-25}"
"$python" "$here/samples.py" "$work" "$out"
"$python" "$here/measure.py" "$out"
