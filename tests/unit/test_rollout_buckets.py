import json
import random
import subprocess
from pathlib import Path

import pytest

from heller.rollout.buckets import bucket, keyed_bucket

VECTORS = Path(__file__).parent.parent / "fixtures" / "bucket_vectors.json"

PLAN = """
const names = JSON.parse(require('fs').readFileSync(0, 'utf8'));
function bucket(email) {
  let hash = 0;
  for (let i = 0; i < email.length; i++) { hash = ((hash << 5) - hash) + email.charCodeAt(i); hash |= 0; }
  return Math.abs(hash) % 100;
}
console.log(JSON.stringify(names.map(bucket)));
"""


def names(count: int) -> list[str]:
    random.seed(31)
    alphabets = [
        "abcdefghijklmnopqrstuvwxyz0123456789.@_-",
        "äöüßéñçøžł",
        "日本語한국어русский",
        "😀🚀🎉𝕏",
        "\ud83d\udc00\udfff",
    ]
    made = [
        "",
        "a",
        "user@example.com",
        "polygenelubricants",
        "\u0000",
        "😀",
        "\ud800",
        "GydZG_",
        "DESIGNING WORKHOUSES",
    ]
    while len(made) < count:
        alphabet = random.choice(alphabets) + alphabets[0]
        made.append("".join(random.choice(alphabet) for _ in range(random.randint(1, 40))))
    return made


def test_bucket_equals_the_committed_vectors_of_node():
    vectors = json.loads(VECTORS.read_text())
    assert len(vectors) >= 200
    assert [bucket(name) for name, _ in vectors] == [number for _, number in vectors]


def test_bucket_of_the_lowest_hash_is_its_absolute_value():
    # "polygenelubricants" is the classic string whose 31-hash is -2**31; Math.abs of it is 2**31 in JavaScript.
    assert bucket("polygenelubricants") == 2**31 % 100 == 48


def test_bucket_equals_javascript_for_ten_thousand_names():
    tried = names(10_000)
    try:
        done = subprocess.run(
            ["node", "-e", PLAN],
            input=json.dumps(tried),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except FileNotFoundError:
        pytest.skip("node is not installed; the committed vectors are checked above")
    assert [bucket(name) for name in tried] == json.loads(done.stdout)


def test_surrogate_pairs_count_as_two_units():
    assert bucket("😀") == bucket("\ud83d\ude00") == abs(0xD83D * 31 + 0xDE00) % 100


def test_keyed_buckets_are_even_and_differ_by_salt():
    counts = [0] * 100
    for number in range(20_000):
        counts[keyed_bucket(f"user-{number}", "one")] += 1
    assert min(counts) > 130
    assert max(counts) < 280
    same = sum(keyed_bucket(f"user-{n}", "one") == keyed_bucket(f"user-{n}", "two") for n in range(10_000))
    assert same < 200
