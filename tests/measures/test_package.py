import doctest
import subprocess
import sys

import llmrank.measures


def test_the_example_at_the_door_is_true():
    result = doctest.testmod(llmrank.measures)
    assert result.attempted >= 4 and result.failed == 0


def test_nothing_heavy_is_loaded():
    code = "import sys, llmrank.measures; print(*{'scipy', 'pandas', 'torch', 'sklearn'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
