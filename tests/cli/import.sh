#!/bin/bash
# import: result files of PEFT's method_comparison, once each and apart from our own runs.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
sweep_study
ok 'a database' run 0 run toy.ini --db all.db --set 'experiment.seeds=0'
before=$(count_results all.db)
cat >theirs.json <<'END'
{
 "run_info": {
  "created_at": "2025-06-19T19:15:35+00:00",
  "experiment_name": "lora/made-up",
  "peft_config": {
   "peft_type": "LORA",
   "r": 32,
   "target_modules": [
    "q",
    "v"
   ]
  }
 },
 "train_info": {
  "accelerator_memory_max": 22273851392,
  "train_time": 1796.18,
  "file_size": 36715216,
  "num_trainable_params": 9175040,
  "status": "success",
  "metrics": [
   {
    "step": 250,
    "valid accuracy": 0.34
   },
   {
    "step": 5000,
    "test accuracy": 0.482
   }
  ]
 },
 "meta_info": {
  "model_info": {
   "sha": null
  }
 }
}
END
for _ in 1 2; do ok 'import' run 0 import theirs.json --db all.db; done
ok 'a row of theirs' prints '^lora/made-up +LORA +9175040 +36.7 +22274 +1796 +0.4820$'
ok 'once' test "$(wc -l <out)" = 2
ok 'apart from ours' test "$(count_results all.db)" = "$before"
sed 's/"test accuracy": 0.482/"test dino_similarity": 0.68/; s/"train_time": [0-9.e]*,//' theirs.json >bare.json
for i in $(seq 40); do sed "s/made-up/file-$i/" bare.json >"bare$i.json"; done
ok 'files without limit' run 0 import bare*.json --db bare.db
ok 'each of them' test "$(wc -l <out)" = 42
ok 'what a file does not have' prints '^lora/file-40 +LORA +9175040 +36.7 +22274 +- +-$'
echo '{"run_info": {}}' >theirs.json
ok 'some other file' run 2 import theirs.json --db all.db
ok 'its message' says "theirs.json:1: no object 'train_info'"

finish
