"""Runs a command and leaves its peak memory, in MB, in the file `peak_mb` of the working directory.

Brian2's compiled program is started by Brian2 after the compiler, whose memory is larger: the peak over all children
would be the compiler's.
"""

import resource
import subprocess
import sys
from pathlib import Path

from common import peak_mb

status = subprocess.call(sys.argv[1:])
Path("peak_mb").write_text(str(peak_mb(resource.RUSAGE_CHILDREN)))
sys.exit(status)
