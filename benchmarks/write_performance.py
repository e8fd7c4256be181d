"""Fill the tables of docs/performance.md from the JSON that the benchmarks left in out/bench.

    make bench && python benchmarks/write_performance.py

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; NAME is that of out/bench/NAME.json. What stands there is
replaced by note, machine, date and table. A table without its JSON stays as it is, and is named.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from _report import OUT, markdown

from slimlab._system.cache import replace_file

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(text: str) -> tuple[str, list[str]]:
    """The page with the tables that were measured, and the names of those that were not."""
    missing = []

    def filled(found: re.Match) -> str:
        file = OUT / f"{found[2]}.json"
        if not file.exists():
            missing.append(found[2])
            return found[0]
        record = json.loads(file.read_text())
        return f"{found[1]}{record['note']}. {record['machine']}; {record['date']}.\n\n{markdown(record['rows'])}\n{found[3]}"

    return TABLE.sub(filled, text), missing


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    page, missing = fill(PAGE.read_text())
    replace_file(PAGE, lambda f: f.write(page.encode()))
    print(f"{PAGE}: written" + (f"; not measured, left as they were: {', '.join(missing)}" if missing else ""))
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
