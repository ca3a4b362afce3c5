#!/bin/sh
# From a table to decisions in one go: fit, calibrate, predict a Parquet file through a pipe, watch shifted rows, report.
# Usage: decisions.sh [FOLDER]; the binary is that of the variable RANK1, or `rank1`.
set -eu
rank1=${RANK1:-rank1}
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
cd "$folder"

# Loans: the risk rises with the debt and falls with the income; one job is riskier than the others.
loans() {
    awk -v seed="$1" -v rows="$2" -v first="$3" 'BEGIN {
        srand(seed)
        split("nurse,clerk,pilot,actor", jobs, ",")
        print "id,income,debt,job,outcome"
        for (i = 0; i < rows; i++) {
            income = 20 + 60 * rand(); debt = 40 * rand(); job = jobs[int(1 + 4 * rand())]
            risk = -2.5 + 0.12 * debt - 0.03 * income + (job == "actor" ? 1.5 : 0)
            outcome = rand() < 1 / (1 + exp(-risk)) ? "default" : "repaid"
            printf "L%05d,%.2f,%.2f,%s,%s\n", first + i, income, debt, job, outcome
        }
    }'
}
loans 1 3000 0 > loans.csv
loans 2 800 3000 > held_back.csv
loans 3 1000 4000 > today.csv

# A model with uncertainty, its report, and what a constant and a linear model reach.
"$rank1" fit loans.csv --target outcome --event default --minutes 0.3 --out runs/loans --set data.ignore='["id"]'

# Rows that training never saw make its probabilities come true, and its sets cover 95 % of the outcomes. A person costs 3.
printf 'class,grant,refuse,ask\nrepaid,0,20,4\ndefault,100,0,4\n' > costs.csv
"$rank1" calibrate runs/loans --data held_back.csv --coverage 0.95 --costs costs.csv --referral-cost 3

# Parquet in and JSON lines out, through pipes: with identifiers, what to do at least cost, and what to leave to a person. The
# Parquet file is one of predictions, whose own columns are left out when it is read again.
"$rank1" predict runs/loans --input today.csv --output today.parquet --uncalibrated --keep id --keep income --keep debt --keep job
"$rank1" predict runs/loans --input - --output - --format jsonl --keep id --costs costs.csv --keep-share 0.9 \
    --set data.ignore='["row","prediction","p(default)","p(repaid)","total","aleatoric","epistemic"]' < today.parquet > decisions.jsonl
head -n 2 decisions.jsonl

# Rows like those of training raise no alarm; incomes in another unit and jobs that nobody has seen do.
"$rank1" watch runs/loans --input today.csv --fail-above 0
awk -F, -v OFS=, 'NR > 1 { $2 *= 1.3; if (NR % 5 == 0) $4 = "astronaut" } { print }' today.csv > shifted.csv
if "$rank1" watch runs/loans --input shifted.csv --fail-above 0; then
    echo "the shift was not seen" >&2
    exit 1
fi

# Everything on one page.
"$rank1" evaluate runs/loans > evaluation.txt
"$rank1" report runs/loans --output loans.html
echo "decisions: $folder/decisions.jsonl, report: $folder/loans.html"
