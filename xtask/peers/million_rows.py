"""A million rows of ten numeric columns through `rank1 predict`, the published TabM package and CatBoost, two threads each.

    python million_rows.py FOLDER RANK1            # makes FOLDER, trains, predicts one after another, prints a table

Needs torch, tabm, rtdl_num_embeddings, catboost, pandas and pyarrow. Each prediction is a process of its own: file in, file out;
seconds are of the whole process, memory is the last VmHWM that /proc had of it (`ru_maxrss` would hold this script's own memory
too). The peers are trained for a moment only: what is measured is prediction, whose cost is set by sizes. TabM has 8 members, 3 blocks of 256, 48 bins of
piecewise linear embeddings of dimension 16 and batches of 8192 rows. CatBoost has 1000 trees of depth 6.
"""

import os
import subprocess
import sys
import time

import numpy as np

ROWS, COLUMNS, TRAIN = 1_000_000, 10, 20_000
NAMES = [f"x{i}" for i in range(COLUMNS)]


def make(folder):
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    for name, rows in (("train", TRAIN), ("new", ROWS)):
        x = random.normal(size=(rows, COLUMNS)).astype(np.float32)
        table = pd.DataFrame(x, columns=NAMES)
        if name == "train":
            table["y"] = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * random.normal(size=rows)
        table.to_csv(f"{folder}/{name}.csv", index=False, float_format="%.5f")
        pq.write_table(pa.Table.from_pandas(table.astype(np.float32), preserve_index=False), f"{folder}/{name}.parquet")


def read(path):
    import pandas as pd

    return pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path, dtype=np.float32)


def tabm_model(x):
    import rtdl_num_embeddings as rtdl
    import tabm
    import torch

    bins = rtdl.compute_bins(torch.from_numpy(x), n_bins=48)
    embeddings = rtdl.PiecewiseLinearEmbeddings(bins, 16, activation=False, version="B")
    sizes = {"k": 8, "n_blocks": 3, "d_block": 256}
    return tabm.TabM.make(n_num_features=COLUMNS, num_embeddings=embeddings, d_out=1, **sizes)


def train_peers(folder):
    import catboost
    import torch

    torch.set_num_threads(2)
    table = read(f"{folder}/train.csv")
    x, y = table[NAMES].to_numpy(np.float32), table["y"].to_numpy(np.float32)
    model = tabm_model(x)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(100):
        rows = np.random.default_rng(step).integers(0, len(x), 256)
        out = model(torch.from_numpy(x[rows])).squeeze(-1)
        loss = ((out - torch.from_numpy(y[rows])[:, None]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(model.state_dict(), f"{folder}/tabm.pt")
    trees = catboost.CatBoostRegressor(iterations=1000, depth=6, thread_count=2, verbose=0, allow_writing_files=False)
    trees.fit(x, y)
    trees.save_model(f"{folder}/catboost.cbm")


def predict_tabm(folder, ending):
    import pandas as pd
    import torch

    torch.set_num_threads(2)
    x = read(f"{folder}/new.{ending}")[NAMES].to_numpy(np.float32)
    model = tabm_model(read(f"{folder}/train.csv")[NAMES].to_numpy(np.float32))
    model.load_state_dict(torch.load(f"{folder}/tabm.pt"))
    model.eval()
    means, stds = [], []
    with torch.inference_mode():
        for start in range(0, len(x), 8192):
            out = model(torch.from_numpy(x[start : start + 8192])).squeeze(-1)
            means.append(out.mean(1))
            stds.append(out.std(1))
    pd.DataFrame({"mean": torch.cat(means), "std": torch.cat(stds)}).to_csv(f"{folder}/out.csv", index=False)


def predict_catboost(folder, ending):
    import catboost
    import pandas as pd

    x = read(f"{folder}/new.{ending}")[NAMES].to_numpy(np.float32)
    trees = catboost.CatBoostRegressor().load_model(f"{folder}/catboost.cbm")
    pd.DataFrame({"mean": trees.predict(x, thread_count=2)}).to_csv(f"{folder}/out.csv", index=False)


def peak_kilobytes(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            return max((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), default=0)
    except OSError:
        return 0


def measured(what, words):
    environment = dict(os.environ, RAYON_NUM_THREADS="2", OMP_NUM_THREADS="2")
    load, start = os.getloadavg()[0], time.time()
    child = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, done = 0, 0
    while done == 0:
        peak = max(peak, peak_kilobytes(child.pid))
        time.sleep(0.05)
        done, status, usage = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.time() - start
    processor = usage.ru_utime + usage.ru_stime
    note = "" if child.returncode == 0 else f"  FAILED with {child.returncode}"
    print(
        f"{what:28} {seconds:7.1f} s, processor {processor:7.1f} s, peak {peak / 1024:6.0f} MB, load {load:.1f}{note}",
        flush=True,
    )


def main():
    folder, second = sys.argv[1], sys.argv[2]
    if len(sys.argv) == 4:
        {"tabm": predict_tabm, "catboost": predict_catboost}[second](folder, sys.argv[3])
        return
    os.makedirs(folder, exist_ok=True)
    make(folder)
    run = f"{folder}/run"
    if not os.path.exists(run):
        words = [second, "fit", f"{folder}/train.csv", "--target", "y", "--minutes", "0.2", "--out", run, "--quiet"]
        subprocess.run(words, check=True)
    train_peers(folder)
    for ending in ("csv", "parquet"):
        words = ["predict", run, "--input", f"{folder}/new.{ending}", "--output", f"{folder}/out.csv"]
        measured(f"rank1, {ending}", [second, *words])
        for peer in ("catboost", "tabm"):
            measured(f"{peer}, {ending}", [sys.executable, __file__, folder, peer, ending])


if __name__ == "__main__":
    main()
