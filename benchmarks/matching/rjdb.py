"""Pair accuracy on a public set: ``python benchmarks/matching/rjdb.py data/test.jsonl`` of megagonlabs/rjdb.

Each row has a job, a resume that was written for it and one from which skills or years were taken away. A pair is
right when the first scores strictly above the second. The set is not committed: its licence allows research only.
"""

import json
import sys
import time
from datetime import date
from pathlib import Path

from resume_matcher.documents.text import clean, without_markdown
from resume_matcher.errors import UnusableJob
from resume_matcher.matching.findings import Candidate
from resume_matcher.matching.match import of_candidate
from resume_matcher.matching.requirements import job_of
from resume_matcher.resume import parse

TODAY = date(2024, 1, 1)


def scored(resume: str, job_text: str) -> float:
    text = clean(without_markdown(resume))
    return of_candidate(Candidate.of(text, parse(text), TODAY), job_of(job_text), job_text, text).score


def main() -> None:
    path = Path(sys.argv[1])
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    started, right, tied, unusable, wrong = time.monotonic(), 0, 0, 0, []
    for index, row in enumerate(rows):
        job = clean(without_markdown(row["Job-Description"]))
        try:
            matched, weakened = scored(row["Resume-matched"], job), scored(row["Resume-unmatched"], job)
        except UnusableJob:
            unusable += 1
            wrong.append(index)
            continue
        right += matched > weakened
        tied += matched == weakened
        if matched <= weakened:
            wrong.append(index)
    seconds = time.monotonic() - started
    print(f"pairs {len(rows)}  right {right}  tied {tied}  unusable {unusable}")
    print(f"pair accuracy {right / len(rows):.3f} (ties count as wrong)")
    print(f"{1000 * seconds / (2 * len(rows)):.1f} ms a match")
    if "--wrong" in sys.argv:
        print(wrong)


if __name__ == "__main__":
    main()
