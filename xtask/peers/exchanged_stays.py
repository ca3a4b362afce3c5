"""PhysioNet set b with its parameters exchanged, as set s, and the AUROC of the stated risk between two calibrations.

    python exchanged_stays.py make DATA OUT       # DATA has set-a.tar.gz, set-b.tar.gz; OUT gets set-s and Outcomes-s.txt
    rank1 calibrate RUN_COPY_1 --data DATA --stays b --adjust none
    rank1 calibrate RUN_COPY_2 --data OUT --stays s --adjust none
    python exchanged_stays.py auroc RUN_COPY_1 RUN_COPY_2

A fixed random derangement of the parameters (seed 0): every reading becomes the reading of the other parameter that has the same
rank in set a, at its own time, so that all values stay plausible. `calibration.json` keeps 2,000 quantiles of the stated risk.
"""

import bisect
import collections
import json
import os
import random
import shutil
import sys
import tarfile

GENERAL = {"RecordID", "Age", "Gender", "Height", "ICUType", "Weight", ""}
FEWEST = 200


def records(data, letter):
    with tarfile.open(f"{data}/set-{letter}.tar.gz") as archive:
        for member in archive:
            name = os.path.basename(member.name)
            if member.isfile() and name.endswith(".txt") and name[:-4].isdigit():
                yield name, archive.extractfile(member).read().decode()


def reading(line):
    cells = line.split(",")
    if len(cells) != 3 or cells[1] in GENERAL:
        return None
    try:
        value = float(cells[2])
    except ValueError:
        return None
    return None if value == -1 else (cells[0], cells[1], value)


def make(data, out):
    values = collections.defaultdict(list)
    for _, text in records(data, "a"):
        for _, parameter, value in filter(None, map(reading, text.splitlines()[1:])):
            values[parameter].append(value)
    names = sorted(name for name in values if len(values[name]) > FEWEST)
    for name in names:
        values[name].sort()
    random.seed(0)
    others = names[:]
    while any(a == b for a, b in zip(names, others)):
        random.shuffle(others)
    other = dict(zip(names, others))
    os.makedirs(f"{out}/set-s", exist_ok=True)
    for file, text in records(data, "b"):
        lines = []
        for line in text.splitlines():
            found = reading(line)
            if found and found[1] in other:
                time, parameter, value = found
                own, theirs = values[parameter], values[other[parameter]]
                share = (bisect.bisect_left(own, value) + bisect.bisect_right(own, value)) / 2 / len(own)
                line = f"{time},{other[parameter]},{theirs[min(int(share * len(theirs)), len(theirs) - 1)]:g}"
            lines.append(line)
        with open(f"{out}/set-s/{file}", "w") as target:
            target.write("\n".join(lines) + "\n")
    shutil.copy(f"{data}/Outcomes-b.txt", f"{out}/Outcomes-s.txt")


def risks(run):
    with open(f"{run}/calibration.json") as file:
        found = json.load(file)["content"]["stated_risk"]
    shares = found["shares"]
    return list(zip(found["values"], [shares[0]] + [b - a for a, b in zip(shares, shares[1:])]))


def auroc(known, other):
    theirs = risks(other)
    pairs = ((x * y, (b > a) + 0.5 * (b == a)) for a, x in risks(known) for b, y in theirs)
    print(f"{sum(weight * above for weight, above in pairs):.4f}")


if __name__ == "__main__":
    {"make": make, "auroc": auroc}[sys.argv[1]](sys.argv[2], sys.argv[3])
