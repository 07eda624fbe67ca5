"""Print the requirements of this project and of the extras named on the command line, one a line.

They are installed before the package itself, so that a change of the package's source does not
install them again.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())
lines = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
for extra in sys.argv[1:]:
    lines.extend(project["project"]["optional-dependencies"][extra])
sys.stdout.write("\n".join(lines) + "\n")
