"""Runs the tests of a file inside Blender: blender -b --factory-startup --python run.py -- FILE RESULTS.json

Leaves a list of {name, failure}, failure being null or a traceback.
"""

import json
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
sys.dont_write_bytecode = True


class Results(unittest.TestResult):
    def __init__(self) -> None:
        super().__init__()
        self.list: list[dict[str, str | None]] = []

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.list.append({"name": test._testMethodName, "failure": None})

    def addFailure(self, test: unittest.TestCase, err) -> None:  # type: ignore[no-untyped-def]
        self.list.append({"name": test.id(), "failure": self._exc_info_to_string(err, test)})

    addError = addFailure


def main(name: str, results: str) -> None:
    outcome = Results()
    unittest.defaultTestLoader.loadTestsFromName(name).run(outcome)
    Path(results).write_text(json.dumps(outcome.list), "utf-8")


main(*sys.argv[sys.argv.index("--") + 1 :])
